/// The providers a payment is tried at, one after the other.
public struct Cascade: Sendable, Hashable {
    /// In order, each once.
    public let providers: [String]

    /// Takes the order of a ``RoutingDecision``, fresh or as it was stored with the payment.
    public init(_ providers: [String]) { self.providers = providers }

    /// What follows an attempt. Whether the network allows another one is for ``RetryBudget`` to say.
    /// - Parameters:
    ///   - outcome: How the attempt ended.
    ///   - provider: Where; one that is not in the cascade ends it.
    public func step(after outcome: CascadeOutcome, at provider: String) -> CascadeStep {
        switch outcome {
        case .paid: return .stop(.paid)
        case .waiting: return .stop(.waiting)
        case .unknown: return .stop(.unknownOutcome)
        case .outage, .declined(.tokenGone): return following(provider)
        case .declined(.holdReleased): return .stop(.released)
        case .declined(let decline):
            switch decline.reason.declineClass {
            case .soft: return following(provider)
            case .hard: return .stop(.hard)
            case .fraud: return .stop(.fraud)
            case .action: return .stop(.action)
            case .unknown: return .stop(.unknownDecline)
            }
        }
    }

    private func following(_ provider: String) -> CascadeStep {
        guard let place = providers.firstIndex(of: provider), place + 1 < providers.count else {
            return .stop(.exhausted)
        }
        return .next(providers[place + 1])
    }
}

/// How an attempt at one provider ended, as far as trying the next one goes.
public enum CascadeOutcome: Sendable, Hashable {
    /// The money is captured or held.
    case paid
    /// The customer has to act, or a bank debit is under way.
    case waiting
    /// The provider refused.
    case declined(Decline)
    /// The provider has not done it, for certain: no connection came about, it asked for patience, or it refused the
    /// request itself. A server error or a lost answer is not that.
    case outage
    /// Nobody knows whether it happened.
    case unknown
}

/// What follows an attempt.
public enum CascadeStep: Sendable, Hashable {
    /// Try this provider.
    case next(String)
    /// Try no other.
    case stop(CascadeEnd)
}

/// Why no other provider is tried.
public enum CascadeEnd: String, Sendable, CaseIterable {
    /// It is paid.
    case paid
    /// Something is under way.
    case waiting
    /// The card will not work anywhere.
    case hard
    /// It looks like fraud.
    case fraud
    /// The customer has to do something; another provider would ask for the same.
    case action
    /// The money was held and let go, by a person or in time: nobody wants it taken elsewhere instead.
    case released = "hold_released"
    /// A reason nobody knows: nothing is concluded from it, not even that another provider may ask.
    case unknownDecline = "unknown_decline"
    /// It may have been charged: another attempt could charge twice.
    case unknownOutcome = "unknown_outcome"
    /// Every provider of the cascade was tried.
    case exhausted
}
