package import BillingCore
import JSON
package import PaymentContract
package import PaymentThreeDS

extension Authentication {
    /// What the authorization is told of it; `nil` where nobody was authenticated and no attempt was proven.
    package var proof: AuthenticationProof? {
        guard let outcome, let value: AuthenticationValue = outcome.value,
            let directory: TransactionID = outcome.directoryTransaction
        else { return nil }
        let status: TransactionStatus
        switch outcome.verdict {
        case .authenticated: status = .authenticated
        case .attempted: status = .attempted
        case .notAuthenticated, .rejected, .unavailable: return nil
        }
        return AuthenticationProof(
            status: status.rawValue, indicator: outcome.indicator, cryptogram: value.base64,
            directoryTransaction: directory.description, version: outcome.version.rawValue,
            challengeIndicator: terms.preference.rawValue)
    }
}

extension CredentialSeal {
    /// Seals a proof for the one payment that it is good for.
    package func seal(_ proof: AuthenticationProof, for payment: PaymentID) throws -> [UInt8] {
        let texts: [(String, String?)] = [
            ("status", proof.status), ("eci", proof.indicator), ("cryptogram", proof.cryptogram),
            ("ds_transaction", proof.directoryTransaction), ("version", proof.version),
            ("challenge_indicator", proof.challengeIndicator),
        ]
        let members: [JSONMember] = texts.compactMap { name, text in
            text.map { JSONMember(name: name, value: .string($0)) }
        }
        return try seal(JSONValue.object(members).serialized, as: Self.name(payment))
    }

    /// Opens a proof that was sealed for a payment.
    /// - Throws: ``Broken``.
    package func open(_ sealed: [UInt8], for payment: PaymentID) throws(Broken) -> AuthenticationProof {
        let json: JSONValue? = try? parseJSON(try open(sealed, as: Self.name(payment)))
        guard let json, let status = json["status"]?.stringValue, let cryptogram = json["cryptogram"]?.stringValue,
            let directory = json["ds_transaction"]?.stringValue, let version = json["version"]?.stringValue,
            let challengeIndicator = json["challenge_indicator"]?.stringValue
        else { throw Broken() }
        return AuthenticationProof(
            status: status, indicator: json["eci"]?.stringValue, cryptogram: cryptogram,
            directoryTransaction: directory, version: version, challengeIndicator: challengeIndicator)
    }

    private static func name(_ payment: PaymentID) -> String { "three_d_secure proof \(payment)" }
}
