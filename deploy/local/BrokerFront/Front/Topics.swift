/// A topic: how often something was produced to it, and whose fetches wait for more.
final class Topic {
    private(set) var produced = 0
    private var waiting: [Link] = []

    /// Something was produced: whoever waits asks again.
    func produce() {
        produced += 1
        let woken: [Link] = waiting
        waiting.removeAll()
        for link in woken { link.wake() }
    }

    func wait(_ link: Link) { waiting.append(link) }

    func forget(_ link: Link) { waiting.removeAll { $0 === link } }
}

/// The topics that anybody has named. They are as many as the broker keeps itself.
struct Topics {
    private var byName: [[UInt8]: Topic] = [:]

    subscript(name: [UInt8]) -> Topic {
        mutating get {
            if let known = byName[name] { return known }
            let new = Topic()
            byName[name] = new
            return new
        }
    }
}
