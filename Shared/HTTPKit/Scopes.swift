/// What a caller may do: `customers:read`, `customers:*` for every verb of one resource, `*` for everything.
public struct Scopes: Sendable, Hashable {
    /// The granted scopes, without repetition.
    public let list: [String]

    /// Makes a set of scopes; texts that are no scopes grant nothing and are dropped.
    public init(_ scopes: some Sequence<String>) {
        var seen: Set<String> = []
        list = scopes.filter { Self.isScope($0) && seen.insert($0).inserted }
    }

    /// No scope at all.
    public static let none = Scopes([])
    /// Every scope.
    public static let all = Scopes(["*"])

    /// Whether `scope`, such as `payments:write`, is granted.
    public func allows(_ scope: String) -> Bool {
        if list.contains("*") || list.contains(scope) { return true }
        guard let colon = scope.firstIndex(of: ":") else { return false }
        return list.contains(scope[...colon] + "*")
    }

    /// Whether a text is `*`, or a resource and a verb out of lower-case letters, digits, `_` and `.`.
    public static func isScope(_ text: String) -> Bool {
        if text == "*" { return true }
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 64, let resource = parts.first, let verb = parts.last else {
            return false
        }
        return isWord(resource) && (isWord(verb) || verb.elementsEqual("*".utf8))
    }

    private static func isWord(_ word: Substring.UTF8View) -> Bool {
        !word.isEmpty && word.allSatisfy { ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 95 || $0 == 46 }
    }
}
