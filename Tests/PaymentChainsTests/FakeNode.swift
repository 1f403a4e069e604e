import JSON
import PaymentChains

/// A node in the process: a function from a question to an answer.
struct FakeNode: ChainTransport {
    /// Answers a call; `nil` is the error that the code names.
    var call: @Sendable (_ method: String, _ parameters: [JSONValue]) -> JSONValue = { _, _ in .null }
    /// Answers a path: status and text.
    var path: @Sendable (_ path: String) -> (Int, String) = { _ in (404, "") }
    /// Replaces the whole answer to a call.
    var raw: (@Sendable (_ method: String) -> ChainAnswer?)?

    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        let question: JSONValue
        do throws(JSONFault) {
            question = try parseJSON(body)
        } catch {
            throw .unusable("question")
        }
        let method: String = question["method"]?.stringValue ?? ""
        if let answer = raw?(method) { return answer }
        let result: JSONValue = call(method, question["params"]?.arrayValue ?? [])
        if let code = result["fault"] {
            let answer: JSONValue = ["result": .null, "error": ["code": code, "message": "no"], "id": 1]
            return ChainAnswer(status: 500, body: answer.serialized)
        }
        let answer: JSONValue = ["result": result, "error": .null, "id": question["id"] ?? .null]
        return ChainAnswer(status: 200, body: answer.serialized)
    }

    func get(_ path: String) async throws(ChainFault) -> ChainAnswer {
        let (status, text) = self.path(path)
        return ChainAnswer(status: status, body: Array(text.utf8))
    }
}

/// A hash of 32 bytes made of one digit.
func hash(_ digit: Character, prefix: String = "") -> String { prefix + String(repeating: digit, count: 64) }
