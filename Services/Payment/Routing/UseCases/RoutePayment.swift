package import BillingCore
import JSON
package import PaymentContract
import PaymentDomain
package import Postgres

/// Where an attempt goes, when not to the provider of its method.
package struct Route: Sendable, Hashable {
    package let provider: String
    package let token: String
    package let providerCustomer: String?

    package init(provider: String, token: String, providerCustomer: String?) {
        self.provider = provider
        self.token = token
        self.providerCustomer = providerCustomer
    }

    /// What the charge is taken from there.
    package var source: ChargeSource { .stored(token: token, providerCustomer: providerCustomer) }
}

/// Decides for approved attempts which provider is asked, and writes down why.
///
/// Runs in the transaction that moves them to `processing`, before anybody is asked. Without rules an attempt goes to the
/// provider of its method. That costs nothing while the provider is well; where it is not, the others that keep the method are
/// looked up.
package struct RoutePayment: Sendable {
    private let book: RoutingBook

    package init(book: RoutingBook) { self.book = book }

    /// Decides for the current attempts of payments whose rows this transaction has locked.
    ///
    /// Where no provider is left the attempt stays with the provider of its method, and the record says so: a rule may
    /// send a payment elsewhere, it never loses one.
    /// - Parameter payments: With the provider of each one's method.
    /// - Returns: The routes of those that do not go to the provider of their method.
    package func callAsFunction(
        _ payments: [PaymentID: String], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: Route] {
        guard !payments.isEmpty else { return [:] }
        let page: RoutingBook.Page = try book.page(in: db)
        let open: [PaymentID] = payments.filter { page.rules != nil || !book.isWell($0.value, page.down) }.map(\.key)
        guard !open.isEmpty else { return [:] }
        let questions: [RoutingQuestion] = try RoutingQuestion.read(open, in: db)
        let tokens: [PaymentMethodID: [MethodToken]] = try MethodTokenStore.all(
            of: Array(Set(questions.map(\.methodID))), in: db)
        var routes: [PaymentID: Route] = [:]
        var decided: [(question: RoutingQuestion, provider: String, routing: String)] = []
        for question in questions {
            let known: [MethodToken] = tokens[question.methodID] ?? []
            let names: Set<String> = Set(known.map(\.provider))
            guard let rules = page.rules ?? OwnProviderFirst.rules(from: question.provider, among: names) else {
                continue
            }
            let request: RoutingRequest = question.request
            let decision: RoutingDecision = rules.decide(
                request, among: book.candidates(for: request, among: names, down: page.down))
            // Without rules nothing is decided while nobody is well: who is well later follows then.
            if page.rules == nil, decision.cascade.isEmpty { continue }
            let chosen: MethodToken? = decision.cascade.first.flatMap { name in known.first { $0.provider == name } }
            let provider: String = chosen?.provider ?? question.provider
            if let chosen, chosen.provider != question.provider {
                routes[question.paymentID] = Route(
                    provider: chosen.provider, token: chosen.token, providerCustomer: chosen.providerCustomer)
            }
            let text: String = encodeString(RoutingDecisionResource(version: page.deciding, decision: decision))
            decided.append((question, provider, text))
            book.health.remember(question.attemptID, request.segment)
        }
        if !decided.isEmpty { try Self.store(decided, in: db) }
        return routes
    }

    private static func store(
        _ decided: [(question: RoutingQuestion, provider: String, routing: String)],
        in db: borrowing PostgresTransaction
    ) throws {
        let moved: [(question: RoutingQuestion, provider: String, routing: String)] = decided.filter {
            $0.provider != $0.question.provider
        }
        if !moved.isEmpty {
            try db.enqueue(
                """
                UPDATE payments p SET provider = r.provider
                FROM unnest(\(moved.map(\.question.paymentID.rawValue))::text[], \(moved.map(\.provider))::text[])
                    AS r(id, provider)
                WHERE p.id = r.id
                """)
        }
        try db.enqueue(
            """
            UPDATE payment_attempts a SET provider = r.provider, routing = r.routing::jsonb
            FROM unnest(\(decided.map(\.question.attemptID.rawValue))::text[], \(decided.map(\.provider))::text[],
                \(decided.map(\.routing))::text[]) AS r(id, provider, routing)
            WHERE a.id = r.id
            """)
    }
}

/// What routing asks of a stored payment.
struct RoutingQuestion: PostgresRecord, Sendable {
    let paymentID: PaymentID
    let attemptID: AttemptID
    let methodID: PaymentMethodID
    /// Of the method.
    let provider: String
    let request: RoutingRequest

    static func read(
        _ payments: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [RoutingQuestion] {
        try db.query(
            """
            SELECT p.id, p.attempt_id, m.id, m.provider, p.amount, p.currency, m.type, c.country, m.brand, m.bin,
                c.groups, p.off_session
            FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
            JOIN customers c ON c.id = p.customer_id
            WHERE p.id = ANY(\(payments.map(\.rawValue))::text[]) ORDER BY p.id
            """, as: RoutingQuestion.self)
    }

    init(row: inout PostgresRow) throws {
        paymentID = try row.next()
        attemptID = try row.next()
        methodID = try row.next()
        provider = try row.next()
        let amount = Money(minor: try row.next(), currency: try row.next())
        let method: String = try row.next()
        let country: String? = try row.next()
        let brand: String? = try row.next()
        let bin: String? = try row.next()
        let groups: [String] = try row.next()
        request = RoutingRequest(
            paymentID: paymentID, amount: amount, method: method, country: country, brand: brand,
            bin: bin.flatMap(BINRange.init), groups: Set(groups), offSession: try row.next())
    }
}
