import BillingCore
package import HTTPKit
package import JSON
import PaymentDomain
package import Postgres

/// Explains where a payment would go, and stores nothing.
package struct EvaluateRouting: Sendable {
    private let book: RoutingBook
    private let pool: PostgresPool

    package init(book: RoutingBook, pool: PostgresPool) {
        self.book = book
        self.pool = pool
    }

    /// - Throws: ``Problem`` for a method that is not there, or a draft with faults.
    package func callAsFunction(_ call: Call, _ input: EvaluateRoutingInput) async throws -> Reply<
        RoutingEvaluationResource
    > {
        let subject: (facts: MethodSubject?, page: RoutingBook.Page) = try await pool.transaction(
            readOnly: true, deadline: call.deadline
        ) { db in
            let page: RoutingBook.Page = try book.page(in: db)
            guard let id: PaymentMethodID = input.paymentMethodID else { return (nil, page) }
            guard let facts: MethodSubject = try MethodSubject.find(id, in: db) else {
                throw Problem.invalid("payment_method_id", code: "unknown_payment_method", "there is no such method")
            }
            return (facts, page)
        }
        let request: RoutingRequest = input.request(subject.facts, at: call.now)
        let candidates: [RoutingCandidate] = book.candidates(
            for: request, among: subject.facts.map { Set($0.providers) }, down: subject.page.down)
        let (rules, version): (RoutingRules?, Int64) = try rules(input, subject.page, subject.facts)
        let decision: RoutingDecision? = rules?.decide(request, among: candidates)
        return .ok(
            RoutingEvaluationResource(
                paymentID: request.paymentID, provider: decision?.cascade.first ?? subject.facts?.provider,
                needsToken: subject.facts == nil, version: version, decision: decision,
                fault: input.document == nil ? subject.page.fault : nil))
    }

    /// The draft's, or those that count; where there are none, what a method that several keep is routed by.
    private func rules(
        _ input: EvaluateRoutingInput, _ page: RoutingBook.Page, _ facts: MethodSubject?
    ) throws -> (RoutingRules?, Int64) {
        guard let draft: RoutingDocument = input.document else {
            let rules: RoutingRules? =
                page.rules ?? facts.flatMap { OwnProviderFirst.rules(from: $0.provider, among: Set($0.providers)) }
            return (rules, page.deciding)
        }
        do { return (try RoutingRules(draft, providers: book.catalogue.names), 0) } catch {
            throw Problem.invalid(error, under: "document")
        }
    }
}

/// A stored method as far as routing looks at it.
struct MethodSubject: Sendable {
    let provider: String
    let type: String
    let brand: String?
    let bin: BINRange?
    let country: String?
    let groups: Set<String>
    let providers: [String]

    static func find(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> MethodSubject? {
        try db.first(
            """
            SELECT m.provider, m.type, m.brand, m.bin, c.country, c.groups, array_prepend(m.provider,
                ARRAY(SELECT t.provider FROM payment_method_tokens t WHERE t.payment_method_id = m.id))
            FROM payment_methods m JOIN customers c ON c.id = m.customer_id WHERE m.id = \(id)
            """
        ) { row in
            let provider: String = try row.next()
            let type: String = try row.next()
            let brand: String? = try row.next()
            let bin: String? = try row.next()
            let country: String? = try row.next()
            let groups: [String] = try row.next()
            return MethodSubject(
                provider: provider, type: type, brand: brand, bin: bin.flatMap(BINRange.init), country: country,
                groups: Set(groups), providers: try row.next())
        }
    }
}

/// `POST /v1/payments/routing/evaluate`.
package struct EvaluateRoutingInput: JSONInput {
    let amount: Money
    let method: String
    let country: String?
    let brand: String?
    let bin: BINRange?
    let groups: [String]
    let offSession: Bool
    let paymentID: PaymentID?
    let paymentMethodID: PaymentMethodID?
    let document: RoutingDocument?

    package init(_ f: inout InputFields) {
        amount = f.positiveMoney("amount", doc: "Minor units")
        method = f.optionalString("method", min: 1, max: 64, doc: "card when left out") ?? "card"
        country = f.optional("country", schema: JSONSchema.string(pattern: "^[A-Z]{2}$"), doc: "ISO 3166") { value in
            guard let text: String = value.stringValue, text.utf8.count == 2,
                text.utf8.allSatisfy({ (0x41...0x5A).contains($0) })
            else { return .failure(Fault(code: "invalid_country", message: "must be two capital letters")) }
            return .success(text)
        }
        brand = f.optionalString("brand", min: 1, max: 64, doc: "visa, mastercard")
        bin = f.optional("bin", schema: JSONSchema.string(pattern: "^[0-9]{6,8}$"), doc: "Leading digits") { value in
            guard let text: String = value.stringValue, (6...8).contains(text.utf8.count),
                let range = BINRange(text)
            else { return .failure(Fault(code: "invalid_bin", message: "must be six to eight digits")) }
            return .success(range)
        }
        groups = f.strings("groups", count: 0...100, max: 64, doc: "The customer's groups")
        offSession = f.bool("off_session", default: false, doc: "Whether the customer is absent")
        paymentID = f.optionalID(
            "payment_id", as: PaymentID.self, doc: "Splits draw by it; another payment each time when left out")
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self,
            doc: "A stored method: only providers that keep it, and what is known of it; all providers when left out")
        document =
            f.optionalObject(
                "document", as: RoutingDocumentInput.self, doc: "A draft to try in place of the rules that count")?
            .document
    }

    /// What is given counts before what is stored of the method.
    func request(_ facts: MethodSubject?, at now: Instant) -> RoutingRequest {
        RoutingRequest(
            paymentID: paymentID ?? PaymentID.new(at: now), amount: amount, method: facts?.type ?? method,
            country: country ?? facts?.country, brand: brand ?? facts?.brand, bin: bin ?? facts?.bin,
            groups: Set(groups).union(facts?.groups ?? []), offSession: offSession)
    }
}

/// Where a payment would go.
package struct RoutingEvaluationResource: JSONOutput {
    let paymentID: PaymentID
    let provider: String?
    /// No method was given: a candidate is asked for those only that it keeps.
    let needsToken: Bool
    let version: Int64
    let decision: RoutingDecision?
    /// Why the rules that are in place do not count.
    let fault: String?

    package func write(to o: inout ObjectWriter) {
        o.field("object", "routing_evaluation")
        o.field("payment_id", paymentID, doc: "What was drawn by; give it again to see the same")
        o.field("provider", provider, doc: "Who would be asked first; null when that is the method's own provider")
        o.field(
            "needs_token", needsToken,
            doc: "No payment_method_id was given: all are candidates; a stored method is charged only where it is kept")
        o.field(
            "routing", decision.map { RoutingDecisionResource(version: version, decision: $0) },
            doc:
                "null where nothing is to be decided: there are no rules, and one provider keeps the method or none is given"
        )
        o.field("fault", fault, doc: "Why the rules that are in place do not count; null where they do")
    }

    package static var sample: Self {
        Self(
            paymentID: .sample, provider: "sandbox_b", needsToken: false, version: 3,
            decision: RoutingDecisionResource.sample.decision, fault: nil)
    }
}
