package import BillingEvents

/// Splits a batch so that a handler gets many events at once and no key loses its order.
///
/// An event goes into the earliest wave in which nothing of another type with its key stands at or after it: several
/// events of one type and key stay together, in order; another type of the same key waits for the next wave.
package enum Waves {
    /// - Returns: Waves in the order they must run; in each, the events of every type in their order of arrival.
    package static func split(_ events: [RawEvent]) -> [[(type: String, events: [RawEvent])]] {
        var lastOfKey: [String: (wave: Int, type: String)] = [:]
        var waves: [[String: [RawEvent]]] = []
        var typeOrder: [[String]] = []
        for event in events {
            var wave = 0
            if let last = lastOfKey[event.key] { wave = last.type == event.type ? last.wave : last.wave + 1 }
            lastOfKey[event.key] = (wave, event.type)
            if wave == waves.count {
                waves.append([:])
                typeOrder.append([])
            }
            if waves[wave][event.type] == nil { typeOrder[wave].append(event.type) }
            waves[wave][event.type, default: []].append(event)
        }
        return zip(waves, typeOrder).map { wave, order in order.map { (type: $0, events: wave[$0] ?? []) } }
    }
}
