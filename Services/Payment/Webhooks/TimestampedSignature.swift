import BillingCore
import Crypto

/// A signature header of the form `t=1700000000,v1=hex,v1=hex`. Source: Stripe's "Verify webhook signatures manually".
struct TimestampedSignature {
    /// The longest header.
    static let maxBytes = 4_096
    /// The most `v1` signatures: one per secret in use at the provider, which are two at most.
    static let maxSignatures = 8

    /// As it was written: these characters are signed.
    private let time: String
    private let seconds: Int64
    private let signatures: [[UInt8]]

    /// Reads the header. Other schemes than `v1` (the provider's `v0` of test deliveries) are passed over.
    /// - Throws: ``WebhookRefusal/headerMalformed``, ``WebhookRefusal/noUsableSignature``.
    init(_ header: String) throws(WebhookRefusal) {
        var time: String?
        var signatures: [[UInt8]] = []
        for item in header.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = item.firstIndex(of: "=") else { throw .headerMalformed }
            let value: Substring = item[item.index(after: equals)...]
            switch item[..<equals] {
            case "t":
                guard time == nil else { throw .headerMalformed }
                time = String(value)
            case "v1":
                guard let bytes = Self.bytes(value), signatures.count < Self.maxSignatures else {
                    throw .headerMalformed
                }
                signatures.append(bytes)
            default: continue
            }
        }
        guard let time, (1...12).contains(time.utf8.count), time.utf8.allSatisfy({ $0 &- 0x30 < 10 }),
            let seconds = Int64(time)
        else { throw .headerMalformed }
        guard !signatures.isEmpty else { throw .noUsableSignature }
        self.time = time
        self.seconds = seconds
        self.signatures = signatures
    }

    /// Checks the signature first, and then the time: a time that nobody signed says nothing.
    ///
    /// Each signature is compared in constant time with each secret's, and none is left out after a hit.
    func verify(
        _ body: [UInt8], secrets: [WebhookSecret], tolerance: Duration, at now: Instant
    ) throws(WebhookRefusal) {
        var isRight = false
        for secret in secrets {
            let expected = secret.code(time: time, body: body)
            for signature in signatures {
                let isSame: Bool = expected == signature
                isRight = isRight || isSame
            }
        }
        guard isRight else { throw .wrongSignature }
        let age: Duration = .seconds(now.seconds - seconds)
        guard age <= tolerance else { throw .tooOld }
        guard age >= .zero - tolerance else { throw .tooNew }
    }

    /// 32 bytes out of 64 lower-case hexadecimal digits.
    private static func bytes(_ digits: Substring) -> [UInt8]? {
        guard digits.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits.utf8 {
            let nibble: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let upper = high {
                bytes.append(upper << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        return bytes
    }
}
