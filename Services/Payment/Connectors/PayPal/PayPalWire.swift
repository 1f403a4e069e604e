import PaymentContract
import BillingCore
import PaymentDomain
import JSON

/// The shape of requests and answers on the wire: Orders v2 and Payments v2.
enum PayPalWire {
    /// Reads an answer's body as a JSON object.
    /// - Throws: ``ProviderFault/unusable(_:)``; what the body contained is not repeated.
    static func object(_ body: [UInt8]) throws(ProviderFault) -> JSONValue {
        let value: JSONValue
        do throws(JSONFault) {
            value = try parseJSON(body, limits: JSONLimits(maxBytes: ProviderHTTPRequest.longestAnswer))
        } catch {
            throw .unusable("not JSON: \(error)")
        }
        guard value.objectValue != nil else { throw .unusable("not a JSON object") }
        return value
    }

    /// Whether text can be one of PayPal's ids, and so stand in a path: `^[A-Z0-9]+$`, at most 36 (Orders v2).
    static func isID(_ text: String) -> Bool {
        guard (1...36).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
    }

    /// Whether text can be one of PayPal's codes. They are kept in records and metrics, so other text is not let in.
    static func isCode(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "_") }
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }

    /// `network_transaction_reference.id`: 9 to 36 characters (its schema allows signs that no network uses).
    static func isNetworkTransactionID(_ text: String) -> Bool {
        (9...36).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    /// The body that creates an order for a charge. `custom_id` carries the payment and `invoice_id` the attempt:
    /// PayPal refuses to capture an invoice id twice, which is a second lock beside the key.
    /// - Parameter returnURL: Where the customer of a stored method comes back to from their bank.
    /// - Throws: ``ProviderFault/rejected(code:)`` for what PayPal cannot be asked.
    static func order(_ request: ChargeRequest, returnURL: String) throws(ProviderFault) -> JSONValue {
        var unit: [JSONMember] = [
            JSONMember(name: "amount", value: try PayPalAmount.charged(request.amount)),
            JSONMember(name: "custom_id", value: .string(request.paymentID.rawValue)),
            JSONMember(name: "invoice_id", value: .string(request.idempotencyKey.rawValue)),
        ]
        if let descriptor = request.statementDescriptor {
            guard (1...22).contains(descriptor.unicodeScalars.count) else {
                throw .rejected(code: "INVALID_STRING_LENGTH")
            }
            unit.append(JSONMember(name: "soft_descriptor", value: .string(descriptor)))
        }
        return [
            "intent": .string(intent(request)), "purchase_units": [.object(unit)],
            "payment_source": try PayPalSource.json(request, returnURL: returnURL),
        ]
    }

    /// The body of a capture of an authorization.
    /// - Throws: ``UnitRefusal`` for an amount that PayPal cannot be asked for.
    static func capture(_ request: CaptureRequest) throws(UnitRefusal) -> JSONValue {
        [
            "amount": try PayPalAmount.json(request.amount), "invoice_id": .string(request.idempotencyKey.rawValue),
            "final_capture": .bool(request.isFinal),
        ]
    }

    /// The body of a refund.
    /// - Throws: ``UnitRefusal`` for an amount that PayPal cannot be asked for.
    static func refund(_ request: RefundRequest) throws(UnitRefusal) -> JSONValue {
        ["amount": try PayPalAmount.json(request.amount), "invoice_id": .string(request.idempotencyKey.rawValue)]
    }

    /// What an order is for. What waits for an authentication is held before it is taken.
    static func intent(_ request: ChargeRequest) -> String { isTakenAtOnce(request) ? "CAPTURE" : "AUTHORIZE" }

    /// Whether the taking of an order captures it.
    static func isTakenAtOnce(_ request: ChargeRequest) -> Bool { request.capture && !request.isForAuthenticated }

    /// Separates the parts of a form; JSON written without line breaks cannot contain it.
    private static let boundary = "refrain-form-part"
    /// The type of a form's body.
    static let formType = "multipart/form-data; boundary=\(boundary)"

    /// A form (RFC 7578) with JSON as its one part, `input`.
    static func form(input: [UInt8]) -> [UInt8] {
        let head = """
            --\(boundary)\r\nContent-Disposition: form-data; name="input"\r\nContent-Type: application/json\r\n\r\n
            """
        return Array(head.utf8) + input + Array("\r\n--\(boundary)--\r\n".utf8)
    }
}
