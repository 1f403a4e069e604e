/// What the events of one thing say of it. States of the same thing merge to the same result in any order.
public protocol EventState: Sendable {
    associatedtype Subject: Hashable
    /// What it is about.
    var subject: Subject { get }
    /// Takes in what another event of the same subject says.
    mutating func merge(_ other: Self)
}

extension EventState {
    /// One state for each subject, in the order in which the subjects first appear.
    public static func fold(_ states: [Self]) -> [Self] {
        var folded: [Self] = []
        var places: [Subject: Int] = [:]
        for state in states {
            if let place: Int = places[state.subject] {
                folded[place].merge(state)
            } else {
                places[state.subject] = folded.count
                folded.append(state)
            }
        }
        return folded
    }
}
