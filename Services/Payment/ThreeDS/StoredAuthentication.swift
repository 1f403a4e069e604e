import BillingCore
package import JSON

/// How an authentication that waits for an RReq, or is decided, is kept between requests: any instance may take the
/// RReq. Before that there is nothing to keep: an AReq without its answer is spent.
extension Authentication {
    /// The stored form; `nil` before the issuer's first word.
    package var stored: JSONValue? {
        let standing: JSONValue
        switch stage {
        case .created, .methodEnded, .asked: return nil
        case .challenge(let challenge): standing = challenge.json("challenge")
        case .decoupled(let challenge): standing = challenge.json("decoupled")
        case .done(let outcome): standing = outcome.json
        }
        return ["terms": terms.json, "stage": standing]
    }

    /// Takes up an authentication from its stored form.
    /// - Parameter result: The RReq that decided, as it came.
    /// - Returns: `nil` for anything that ``stored`` did not write.
    package init?(
        id: TransactionID, stored: JSONValue, result: [UInt8]?, limits: AuthenticationLimits = AuthenticationLimits()
    ) {
        guard let terms = stored["terms"].flatMap(AuthenticationTerms.init(stored:)), let json = stored["stage"],
            let kind = json["kind"]?.stringValue
        else { return nil }
        let stage: Stage
        switch kind {
        case "challenge":
            guard let challenge = Challenge(stored: json) else { return nil }
            stage = .challenge(challenge)
        case "decoupled":
            guard let challenge = Challenge(stored: json) else { return nil }
            stage = .decoupled(challenge)
        default:
            guard let outcome = AuthenticationOutcome(stored: json, version: terms.version) else { return nil }
            stage = .done(outcome)
        }
        self.id = id
        self.terms = terms
        methodURL = nil
        self.limits = limits
        self.stage = stage
        self.result = result.flatMap { try? ResultRequest($0) }
    }
}

extension Authentication {
    /// The same authentication, with the RReq that decided it as it came, so that a repetition of it is known.
    package func decided(by result: [UInt8]) -> Authentication {
        var decided: Authentication = self
        decided.result = try? ResultRequest(result)
        return decided
    }

    /// Takes up an authentication whose script in the browser has run, or had the time to: before the AReq there is
    /// nothing else to keep of it.
    package mutating func resumeMethod(_ completion: MethodCompletion) throws(AuthenticationFault) {
        guard case .created = stage else { throw .illegalStep }
        guard methodURL != nil else { throw .noMethod }
        stage = .methodEnded(completion)
    }
}

extension AuthenticationTerms {
    /// Of a purchase in the browser, which is all that is stored.
    fileprivate var json: JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "version", value: .string(version.rawValue)),
            JSONMember(name: "scheme", value: .string(scheme.rawValue)),
            JSONMember(name: "preference", value: .string(preference.rawValue)),
        ]
        if let purchase {
            members.append(JSONMember(name: "amount", value: .number(String(purchase.amount.minor))))
            members.append(JSONMember(name: "currency", value: .string(purchase.amount.currency.code)))
            members.append(JSONMember(name: "at", value: .number(String(purchase.at.microseconds))))
        }
        if let decoupledMinutes {
            members.append(JSONMember(name: "decoupled", value: .number(String(decoupledMinutes))))
        }
        return .object(members)
    }

    fileprivate init?(stored json: JSONValue) {
        guard let version = json["version"]?.stringValue.flatMap(MessageVersion.init(rawValue:)),
            let scheme = json["scheme"]?.stringValue.flatMap(CardScheme.init(rawValue:)),
            let preference = json["preference"]?.stringValue.flatMap(ChallengePreference.init(rawValue:)),
            let amount = json["amount"]?.intValue, let at = json["at"]?.intValue,
            let currency = json["currency"]?.stringValue.flatMap({ Currency($0) })
        else { return nil }
        let purchase = Purchase(amount: Money(minor: amount, currency: currency), at: Instant(microseconds: at))
        do {
            try self.init(
                version: version, scheme: scheme, purchase: purchase, preference: preference,
                decoupledMinutes: json["decoupled"]?.intValue.map { Int($0) })
        } catch {
            return nil
        }
    }
}

extension Authentication.Challenge {
    fileprivate func json(_ kind: String) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "kind", value: .string(kind)),
            JSONMember(name: "acs", value: .string(acsTransaction.description)),
            JSONMember(name: "ds", value: .string(directoryTransaction.description)),
            JSONMember(name: "url", value: .string(url)), JSONMember(name: "mandated", value: .bool(isMandated)),
            JSONMember(name: "begun", value: .bool(isBegun)), JSONMember(name: "returned", value: .bool(isReturned)),
            JSONMember(name: "until", value: .number(String(until.microseconds))),
        ]
        if let cardholderInfo { members.append(JSONMember(name: "info", value: .string(cardholderInfo))) }
        if let session { members.append(JSONMember(name: "session", value: .string(session))) }
        return .object(members)
    }

    fileprivate init?(stored json: JSONValue) {
        guard let acs = json["acs"]?.stringValue.flatMap(TransactionID.init),
            let directory = json["ds"]?.stringValue.flatMap(TransactionID.init), let url = json["url"]?.stringValue,
            let until = json["until"]?.intValue
        else { return nil }
        self.init(
            acsTransaction: acs, directoryTransaction: directory, url: url, isMandated: json["mandated"] == true,
            cardholderInfo: json["info"]?.stringValue, session: json["session"]?.stringValue,
            isBegun: json["begun"] == true, isReturned: json["returned"] == true, until: Instant(microseconds: until))
    }
}

extension AuthenticationOutcome {
    /// Without the cryptogram, which nobody needs once the payment has gone on.
    fileprivate var json: JSONValue {
        let texts: [(String, String?)] = [
            ("kind", "done"), ("verdict", verdict.name), ("eci", indicator), ("ds", directoryTransaction?.description),
            ("acs", acsTransaction?.description), ("reason", reason), ("cancellation", cancellation?.rawValue),
            ("liability", liability.rawValue), ("info", cardholderInfo),
        ]
        var members: [JSONMember] = texts.compactMap { name, text in
            text.map { JSONMember(name: name, value: .string($0)) }
        }
        members.append(JSONMember(name: "challenged", value: .bool(wasChallenged)))
        members.append(JSONMember(name: "at", value: .number(String(at.microseconds))))
        return .object(members)
    }

    fileprivate init?(stored json: JSONValue, version: MessageVersion) {
        guard let verdict = json["verdict"]?.stringValue.flatMap(Verdict.init(name:)),
            let liability = json["liability"]?.stringValue.flatMap(Liability.init(rawValue:)),
            let at = json["at"]?.intValue
        else { return nil }
        self.init(
            verdict: verdict, version: version, indicator: json["eci"]?.stringValue, value: nil,
            directoryTransaction: json["ds"]?.stringValue.flatMap(TransactionID.init),
            acsTransaction: json["acs"]?.stringValue.flatMap(TransactionID.init), reason: json["reason"]?.stringValue,
            cancellation: json["cancellation"]?.stringValue.flatMap(ChallengeCancellation.init(rawValue:)),
            wasChallenged: json["challenged"] == true, liability: liability,
            cardholderInfo: json["info"]?.stringValue, at: Instant(microseconds: at))
    }
}

extension AuthenticationOutcome.Verdict {
    /// The name under which it is stored.
    package var name: String {
        switch self {
        case .authenticated: "authenticated"
        case .attempted: "attempted"
        case .notAuthenticated: "not_authenticated"
        case .rejected: "rejected"
        case .unavailable(let cause): "unavailable/\(cause.rawValue)"
        }
    }

    fileprivate init?(name: String) {
        switch name {
        case "authenticated": self = .authenticated
        case "attempted": self = .attempted
        case "not_authenticated": self = .notAuthenticated
        case "rejected": self = .rejected
        default:
            let parts: [Substring] = name.split(separator: "/", maxSplits: 1)
            guard parts.count == 2, let cause = AuthenticationOutcome.Cause(rawValue: String(parts[1])) else {
                return nil
            }
            self = .unavailable(cause)
        }
    }
}
