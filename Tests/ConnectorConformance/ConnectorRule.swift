/// A rule of the provider contract (decision 0011). Every connector keeps all that apply to what it says it can do.
package enum ConnectorRule: String, CaseIterable, Sendable, CustomStringConvertible {
    case capabilitiesAreSound
    case chargesOnceInEveryCurrency
    case twinsAreOneCharge
    case lostRequestIsKnownInTheEnd
    case lostAnswerIsKnownInTheEnd
    case unreadableAnswerIsNoAnswer
    case throttledChargeIsKnownInTheEnd
    case refusalIsReadAndRepeated
    case customerFinishesTheSameCharge
    case agreedMethodNeedsNobody
    case foreignSourceTakesNothing
    case capturesAPartAndNoMoreThanIsHeld
    case capturesInSeveralParts
    case releasesOnce
    case lostCaptureHappensOnce
    case refundsInPartsUpToTheCharge
    case lostRefundHappensOnce
    case refundIsReadBack
    case strangersAreRefused

    package var description: String { rawValue }

    /// Holds a connector against the rule, at a provider that nobody else uses meanwhile.
    /// - Returns: `false` when the rule is about something that the connector says it cannot do.
    /// - Throws: ``Breach`` when the rule is broken; what the bench throws.
    package func isKept(by bench: any ConnectorBench) async throws -> Bool {
        let trial = ConnectorTrial(bench: bench)
        let applies: Bool = try await check(trial)
        let complaints: [String] = try await bench.complaints()
        guard complaints.isEmpty else { throw Breach("the provider complains: \(complaints.prefix(3))") }
        return applies
    }

    private func check(_ trial: ConnectorTrial) async throws -> Bool {
        switch self {
        case .capabilitiesAreSound: try trial.capabilitiesAreSound()
        case .chargesOnceInEveryCurrency: try await trial.chargesOnce()
        case .twinsAreOneCharge: try await trial.twins()
        case .lostRequestIsKnownInTheEnd: try await trial.disturbedCharge([.lostRequest])
        case .lostAnswerIsKnownInTheEnd: try await trial.disturbedCharge([.lostAnswer])
        case .unreadableAnswerIsNoAnswer: try await trial.disturbedCharge([.page, .torso])
        case .throttledChargeIsKnownInTheEnd: try await trial.disturbedCharge([.throttled])
        case .refusalIsReadAndRepeated: try await trial.refusal()
        case .customerFinishesTheSameCharge: try await trial.customerFinishes()
        case .agreedMethodNeedsNobody: try await trial.agreed()
        case .foreignSourceTakesNothing: try await trial.foreignSource()
        case .capturesAPartAndNoMoreThanIsHeld: try await trial.capturesAPart()
        case .capturesInSeveralParts: try await trial.capturesParts()
        case .releasesOnce: try await trial.releases()
        case .lostCaptureHappensOnce: try await trial.lostCapture()
        case .refundsInPartsUpToTheCharge: try await trial.refunds()
        case .lostRefundHappensOnce: try await trial.lostRefund()
        case .refundIsReadBack: try await trial.refundReadBack()
        case .strangersAreRefused: try await trial.strangers()
        }
    }
}

/// A connector does not do what the contract says.
package struct Breach: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
