/// Finds the route of a path. Fixed segments win over parameters; a parameter is tried when the fixed way ends nowhere.
struct Router<Route: Sendable>: Sendable {
    /// What was found.
    enum Match: Sendable {
        /// The route, and the texts of its parameters in order.
        case found(Route, [String])
        /// The path exists for other methods only.
        case otherMethods([String])
        case none
    }

    private struct Node: Sendable {
        var fixed: [String: Int] = [:]
        var parameter: Int?
        var routes: [String: Route] = [:]
    }

    private var nodes: [Node] = [Node()]

    /// Adds a route. The same method and path twice is a mistake in the program and traps.
    mutating func add(_ method: String, _ path: String, _ route: Route) {
        var current = 0
        for segment in path.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            let text = String(Substring(segment))
            current = text.hasPrefix("{") ? parameterChild(of: current) : fixedChild(text, of: current)
        }
        precondition(nodes[current].routes[method] == nil, "two routes for \(method) \(path)")
        nodes[current].routes[method] = route
    }

    /// Looks a path up. HEAD finds GET.
    /// - Parameter path: As it came, without the query; parameters are percent-decoded here.
    func match(_ method: String, _ path: Substring) -> Match {
        guard path.utf8.first == slash else { return .none }
        let segments = path.utf8.dropFirst().split(separator: slash, maxSplits: 16, omittingEmptySubsequences: false)
        var values: [String] = []
        guard let node = find(segments[...], 0, &values) else { return .none }
        let routes = nodes[node].routes
        if let route = routes[method == "HEAD" ? "GET" : method] { return .found(route, values) }
        return .otherMethods(routes.keys.sorted() + (routes["GET"] == nil ? [] : ["HEAD"]))
    }

    private func find(_ segments: ArraySlice<Substring.UTF8View>, _ node: Int, _ values: inout [String]) -> Int? {
        guard let segment = segments.first else { return nodes[node].routes.isEmpty ? nil : node }
        let rest = segments.dropFirst()
        if let next = nodes[node].fixed[String(Substring(segment))], let found = find(rest, next, &values) {
            return found
        }
        guard let next = nodes[node].parameter, !segment.isEmpty,
            let value = QueryReading.decode(Substring(segment), plusIsSpace: false)
        else { return nil }
        values.append(value)
        if let found = find(rest, next, &values) { return found }
        values.removeLast()
        return nil
    }

    private mutating func parameterChild(of node: Int) -> Int {
        if let known = nodes[node].parameter { return known }
        nodes.append(Node())
        nodes[node].parameter = nodes.count - 1
        return nodes.count - 1
    }

    private mutating func fixedChild(_ text: String, of node: Int) -> Int {
        if let known = nodes[node].fixed[text] { return known }
        nodes.append(Node())
        nodes[node].fixed[text] = nodes.count - 1
        return nodes.count - 1
    }
}

private let slash = UInt8(ascii: "/")
