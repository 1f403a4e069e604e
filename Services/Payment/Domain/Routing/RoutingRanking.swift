import BillingCore

/// A candidate's place among those that remain, by its index.
struct RankedCandidate {
    let index: Int
    let basis: RoutingBasis
}

extension RoutingOrder {
    /// Orders the candidates at these indices, which come sorted by name.
    func ranked(
        _ open: [Int], of candidates: [RoutingCandidate], for request: RoutingRequest, seed: UInt64
    ) -> [RankedCandidate] {
        switch self {
        case .listed(let names): Self.listed(open, of: candidates, names)
        case .volumeSplit(let shares):
            Self.split(open, of: candidates, shares, RoutingDraw(request.paymentID, seed: seed))
        case .leastCost: Self.cheapest(open, of: candidates, request.amount)
        case .successRate(let floor):
            Self.best(open, of: candidates, floor, RoutingDraw(request.paymentID, seed: seed))
        }
    }

    private static func listed(_ open: [Int], of candidates: [RoutingCandidate], _ names: [String]) -> [RankedCandidate]
    {
        let places: [(index: Int, place: Int?)] = open.map { ($0, names.firstIndex(of: candidates[$0].provider)) }
        return places.sorted { $0.place ?? .max < $1.place ?? .max }
            .map { RankedCandidate(index: $0.index, basis: .listed($0.place.map { place in place + 1 })) }
    }

    /// Draws an order of all shares, then leaves out who is not open: an outage moves the payments of that provider and
    /// no others.
    private static func split(
        _ open: [Int], of candidates: [RoutingCandidate], _ shares: [VolumeShare], _ draw: RoutingDraw
    ) -> [RankedCandidate] {
        var draw = draw
        var left: [VolumeShare] = shares.filter { $0.weight > 0 }
        let total: Int64 = left.reduce(0) { $0 + $1.weight }
        var sum: Int64 = total
        var order: [VolumeShare] = []
        while !left.isEmpty {
            var slot = Int64(draw.below(UInt64(sum)))
            var index = 0
            while slot >= left[index].weight {
                slot -= left[index].weight
                index += 1
            }
            let next: VolumeShare = left.remove(at: index)
            sum -= next.weight
            order.append(next)
        }
        order += shares.filter { $0.weight == 0 }
        var rest: [Int] = open
        var ranked: [RankedCandidate] = []
        for share in order {
            guard let at = rest.firstIndex(where: { candidates[$0].provider == share.provider }) else { continue }
            ranked.append(RankedCandidate(index: rest.remove(at: at), basis: .split(weight: share.weight, of: total)))
        }
        return ranked + rest.map { RankedCandidate(index: $0, basis: .split(weight: 0, of: total)) }
    }

    private static func cheapest(_ open: [Int], of candidates: [RoutingCandidate], _ amount: Money) -> [RankedCandidate]
    {
        let costs: [(index: Int, cost: FeeCost?)] = open.map { ($0, candidates[$0].fees?.cost(of: amount)) }
        let known: [(index: Int, cost: FeeCost?)] = costs.filter { $0.cost != nil }.sorted { left, right in
            guard let one = left.cost, let another = right.cost else { return false }
            return one < another
        }
        return (known + costs.filter { $0.cost == nil })
            .map { RankedCandidate(index: $0.index, basis: .cost($0.cost)) }
    }

    /// The best by its estimated rate, except for the floors of the others.
    private static func best(
        _ open: [Int], of candidates: [RoutingCandidate], _ floor: Int64, _ draw: RoutingDraw
    ) -> [RankedCandidate] {
        var ranked: [Int] = open.sorted { candidates[$0].success.isBetter(than: candidates[$1].success) }
        guard ranked.count > 1 else { return ranked.map { success($0, candidates, explored: false) } }
        var draw = draw
        let share: Int64 = min(floor, 10_000 / Int64(ranked.count))
        let slot = Int64(draw.below(10_000))
        let isExplored: Bool = slot < share * Int64(ranked.count - 1)
        if isExplored { ranked.insert(ranked.remove(at: 1 + Int(slot / share)), at: 0) }
        return ranked.enumerated().map { success($1, candidates, explored: isExplored && $0 == 0) }
    }

    private static func success(
        _ index: Int, _ candidates: [RoutingCandidate], explored: Bool
    ) -> RankedCandidate {
        RankedCandidate(index: index, basis: .success(candidates[index].success, explored: explored))
    }
}
