package import JSON

/// Calls to a node over JSON-RPC, one question per request.
///
/// Source: the JSON-RPC 2.0 specification; Bitcoin Core's dialect has `error: null` beside a result.
package struct JSONRPC: Sendable {
    /// A block with all its transactions is the largest answer there is.
    package static let limits = JSONLimits(
        maxBytes: 64 << 20, maxDepth: 16, maxMembers: 1_000, maxValues: 8_000_000)
    private static let id: Int64 = 1

    private let transport: any ChainTransport

    /// Calls through a transport.
    package init(transport: any ChainTransport) { self.transport = transport }

    /// Asks one question.
    /// - Returns: The result, which may be `null`.
    /// - Throws: ``ChainFault``.
    package func call(_ method: String, _ parameters: [JSONValue]) async throws(ChainFault) -> JSONValue {
        let question: JSONValue = [
            "jsonrpc": "2.0", "id": .number(String(Self.id)), "method": .string(method), "params": .array(parameters),
        ]
        let answer: ChainAnswer = try await transport.post(question.serialized)
        let value: JSONValue
        switch answer.status {
        case 200: value = try Self.parse(answer.body)
        case 401, 403: throw .refused(answer.status)
        default:
            // Bitcoin Core puts its errors under other statuses; anything else there is no answer.
            do throws(ChainFault) {
                value = try Self.parse(answer.body)
            } catch {
                throw Self.fault(status: answer.status)
            }
        }
        guard let result = try Self.result(of: value) else { throw Self.fault(status: answer.status) }
        return result
    }

    package static func parse(_ body: [UInt8]) throws(ChainFault) -> JSONValue {
        do throws(JSONFault) {
            return try parseJSON(body, limits: limits)
        } catch {
            throw error.code == .tooLarge ? .tooMuch("body") : .unusable("json")
        }
    }

    package static func fault(status: Int) -> ChainFault {
        status == 429 || status >= 500 ? .unavailable(status) : .refused(status)
    }

    /// The result; `nil` when the value is no answer to our question at all.
    private static func result(of value: JSONValue) throws(ChainFault) -> JSONValue? {
        guard case .object = value, value["id"] == .number(String(id)) else {
            throw .unusable("id")
        }
        if let error = value["error"], !error.isNull {
            guard let code = error["code"]?.intValue else { throw .unusable("error") }
            throw .rpc(code)
        }
        return value["result"]
    }
}

extension JSONValue {
    /// The text of a member.
    package func text(_ name: String) throws(ChainFault) -> String {
        guard let text = self[name]?.stringValue else { throw .unusable(name) }
        return text
    }

    /// A member that is a whole number of zero or above.
    package func count(_ name: String) throws(ChainFault) -> UInt64 {
        guard let number = self[name]?.intValue, number >= 0 else { throw .unusable(name) }
        return UInt64(number)
    }

    /// The elements of a member.
    package func list(_ name: String) throws(ChainFault) -> [JSONValue] {
        guard let elements = self[name]?.arrayValue else { throw .unusable(name) }
        return elements
    }
}
