/// Something stored that this version cannot make sense of.
struct UnreadableRecord: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
