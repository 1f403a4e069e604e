package import BillingCore
import JSON

/// A delivery as it came in: nothing of it is trusted yet.
package struct IncomingWebhook: Sendable {
    /// The longest body that is looked at: providers stay far below it.
    package static let maxBodyBytes = 1 << 20

    /// In the order they came, with repetitions.
    package let headers: [(name: String, value: String)]
    /// The very bytes: signatures cover them, not what they mean.
    package let body: [UInt8]

    package init(headers: [(name: String, value: String)], body: [UInt8]) {
        self.headers = headers
        self.body = body
    }

    /// The one header of a name, whatever the case of its letters.
    /// - Throws: ``WebhookRefusal/headerMissing``; ``WebhookRefusal/headerRepeated``, since two parties may each look
    ///   at another one; ``WebhookRefusal/headerTooLong``.
    func header(_ name: String, maxBytes: Int) throws(WebhookRefusal) -> String {
        var found: String?
        for header in headers where Self.isSame(header.name, name) {
            guard found == nil else { throw .headerRepeated }
            found = header.value
        }
        guard let found else { throw .headerMissing }
        guard found.utf8.count <= maxBytes else { throw .headerTooLong }
        return found
    }

    /// - Throws: ``WebhookRefusal/bodyTooLong``, before any work is done.
    func checkSize() throws(WebhookRefusal) {
        guard body.count <= Self.maxBodyBytes else { throw .bodyTooLong }
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).allSatisfy { lowered($0) == lowered($1) }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// Why a delivery is not believed. The raw values are fit for metrics and the audit line; nothing else is stored of it.
package enum WebhookRefusal: String, Error, Sendable, CaseIterable {
    case bodyTooLong = "body_too_long"
    case headerMissing = "header_missing"
    case headerRepeated = "header_repeated"
    case headerTooLong = "header_too_long"
    case headerMalformed = "header_malformed"
    /// No signature of a kind that is believed.
    case noUsableSignature = "no_usable_signature"
    /// Made with another key, or over other bytes.
    case wrongSignature = "wrong_signature"
    /// Rightly signed, and too old: a replay, or a clock that is wrong.
    case tooOld = "too_old"
    /// Rightly signed, and from the future: a clock that is wrong.
    case tooNew = "too_new"
    /// The certificate's address is not on the list.
    case certificateAddress = "certificate_address"
    /// The certificate could not be had; the provider delivers again, so an answer of 503 fits.
    case certificateUnavailable = "certificate_unavailable"
    case certificateMalformed = "certificate_malformed"
    /// Not valid now.
    case certificateExpired = "certificate_expired"
    /// Not issued to the provider.
    case certificateName = "certificate_name"
    /// Not issued under the root, or too weak.
    case certificateUntrusted = "certificate_untrusted"
    /// Rightly signed, and still not an event.
    case bodyMalformed = "body_malformed"
}

/// A delivery that its provider has signed.
package struct VerifiedWebhook: Sendable, Equatable {
    /// Who signed it.
    package enum Source: String, Sendable, CaseIterable {
        case stripe, paypal, sandbox
        /// Our own nodes.
        case bitcoin, evm
    }

    package let source: Source
    /// The provider's id of the event: the same for each repetition, so a delivery counts once under it.
    package let eventID: String
    /// The provider's name of what happened: `payment_intent.succeeded`.
    package let type: String
    /// When the provider says it happened. Deliveries come in any order.
    package let createdAt: Instant
    /// The bytes that were signed, to be stored as they are.
    package let body: [UInt8]
}

extension VerifiedWebhook {
    /// Reads what all of a provider's events have in common.
    /// - Throws: ``WebhookRefusal/bodyMalformed``.
    init(
        reading body: [UInt8], from source: Source, typeName: String, created: (JSONValue) -> Instant?
    ) throws(WebhookRefusal) {
        let event: JSONValue
        do {
            event = try parseJSON(body, limits: JSONLimits(maxBytes: IncomingWebhook.maxBodyBytes, maxDepth: 64))
        } catch {
            throw .bodyMalformed
        }
        guard let id = event["id"]?.stringValue, Self.isName(id), let type = event[typeName]?.stringValue,
            Self.isName(type), let createdAt = created(event)
        else { throw .bodyMalformed }
        self.init(source: source, eventID: id, type: type, createdAt: createdAt, body: body)
    }

    /// 1 to 255 visible ASCII characters: ids and types go into keys and labels.
    private static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
