import BillingCore
import HTTPKit
package import JSON
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentThreeDS
import Postgres

/// The page on which a customer authenticates, what it asks for, and what frames in it come back to. Nothing here takes a
/// key: whoever has the code may go through the steps, and none of them says how it ends.
struct AuthenticationPageRoutes: Sendable {
    private static let maxBodyBytes = 65_536

    let page: AuthenticationPage
    /// `nil` where no card takes part: no code leads anywhere then.
    let authenticate: AuthenticateOnPage?

    var endpoints: [Endpoint] { [show, back, returned, step, status, method] }

    private var show: Endpoint {
        let page: AuthenticationPage = page
        return .page("/pay/authentication/{code}", summary: "The page on which a customer authenticates") { db, call in
            let code: String = call.parameter("code")
            let payment: PaymentRecord? = try AuthenticationPages.find(code, in: db).flatMap { record in
                try PaymentStore.find(record.paymentID, in: db)
            }
            return page.reply(code, payment)
        }
    }

    private var back: Endpoint {
        let page: AuthenticationPage = page
        return .page("/pay/authentication/{code}/back", summary: "Where an issuer's frame ends") { db, call in
            guard let record: AuthenticationPageRecord = try AuthenticationPages.find(call.parameter("code"), in: db)
            else { throw Problem.notFound("authentication") }
            return page.back(record.code)
        }
    }

    /// A provider's own authentication of a stored card ends here, see ``ConfiguredProviders``.
    private var returned: Endpoint {
        let page: AuthenticationPage = page
        return .page("/pay/return/{id}", summary: "Where a provider sends a customer back to") { db, call in
            let payment: PaymentRecord? = try PaymentID(call.parameter("id")).flatMap { id in
                try PaymentStore.find(id, in: db)
            }
            // A link's code lets one do more than a payment's id: the browser that left the link's page knows it.
            let isOfLink: Bool = try payment.map { try LinkUseStore.leadsBack($0, in: db) } ?? false
            return page.returned(payment, to: isOfLink ? nil : payment?.returnURL)
        }
    }

    private var step: Endpoint {
        let authenticate: AuthenticateOnPage? = authenticate
        return .task(
            .post, "/pay/authentication/{code}/step", scope: nil, summary: "Take the next step of an authentication",
            body: AuthenticatePaymentInput.self, answers: AuthenticationStepResource.self, statuses: [200],
            needsKey: false, problems: ["404 not_found"]
        ) { call, input in
            guard
                let standing = try await authenticate?.advance(
                    call.parameter("code"), input.browser.at(call.clientAddress))
            else { throw Problem.notFound("authentication") }
            return .ok(AuthenticationStepResource(standing, at: call.now))
        }
    }

    private var status: Endpoint {
        let authenticate: AuthenticateOnPage? = authenticate
        return .task(
            .get, "/pay/authentication/{code}/status", scope: nil, summary: "Where an authentication stands",
            body: NoInput.self, answers: AuthenticationStepResource.self, problems: ["404 not_found"]
        ) { call, _ in
            guard let standing = try await authenticate?.standing(call.parameter("code")) else {
                throw Problem.notFound("authentication")
            }
            return .ok(AuthenticationStepResource(standing, at: call.now))
        }
    }

    private var method: Endpoint {
        let authenticate: AuthenticateOnPage? = authenticate
        return .delivery(
            "/v1/three_d_secure/method", summary: "Take a browser back from an issuer's script (3DS Method)",
            maxBodyBytes: Self.maxBodyBytes, statuses: [303], problems: ["400 unknown_return"]
        ) { _, delivery in
            guard let body: [UInt8] = delivery.body else { throw Problem.bodyTooLarge(Self.maxBodyBytes) }
            let form: [String: String] = BrowserFields.decode(body)
            guard let code: String = try await authenticate?.methodReported(form["threeDSMethodData"] ?? "") else {
                throw Problem.badRequest("unknown_return", "This fits no authentication.")
            }
            return .seeOther("/pay/authentication/\(code)/back")
        }
    }
}

extension CardholderBrowser {
    /// The same browser, seen from an address.
    fileprivate func at(_ address: String) -> CardholderBrowser {
        let isWritable: Bool =
            (2...45).contains(address.utf8.count)
            && address.utf8.allSatisfy { $0 == 0x2E || $0 == 0x3A || Character(Unicode.Scalar($0)).isHexDigit }
        return CardholderBrowser(
            acceptHeader: acceptHeader, userAgent: userAgent, address: isWritable ? address : nil, script: script)
    }
}

/// What a page does next.
package struct AuthenticationStepResource: JSONOutput {
    let step: String
    let form: BrowserForm?
    let waitMilliseconds: Int64?
    let payment: PaymentRecord

    init(_ standing: AuthenticateOnPage.Standing, at now: Instant) {
        payment = standing.payment
        (step, form, waitMilliseconds) =
            switch standing.step {
            case .ready: ("ready", nil, nil)
            case .method(let form, let until): ("method", form, max(0, (until.microseconds - now.microseconds) / 1_000))
            case .challenge(let form): ("challenge", form, nil)
            case .decoupled: ("decoupled", nil, nil)
            case .waiting: ("waiting", nil, nil)
            case .over: ("over", nil, nil)
            }
    }

    private init(sample payment: PaymentRecord) {
        self.payment = payment
        step = "over"
        form = nil
        waitMilliseconds = nil
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "authentication_step")
        o.field("payment_id", payment.id)
        o.field("payment_status", payment.status)
        o.field("step", step, doc: "ready, method, challenge, decoupled, waiting or over")
        o.field("form", form.map(BrowserFormResource.init), doc: "What is posted into a frame")
        o.field("wait_milliseconds", waitMilliseconds, doc: "How long the issuer's script may take")
        o.field("return_url", payment.returnURL, doc: "Where the customer goes when it is over")
    }

    package static var sample: Self { Self(sample: .sample) }
}

/// A form that a page posts into a frame.
struct BrowserFormResource: JSONOutput {
    let form: BrowserForm

    init(_ form: BrowserForm) { self.form = form }

    func write(to o: inout ObjectWriter) {
        o.field("address", form.address)
        o.field("fields", form.fields.map(BrowserFieldResource.init))
    }

    static var sample: Self { Self(BrowserForm(address: "https://issuer.example/challenge", fields: [])) }
}

/// A hidden field.
struct BrowserFieldResource: JSONOutput {
    let field: BrowserForm.Field

    init(_ field: BrowserForm.Field) { self.field = field }

    func write(to o: inout ObjectWriter) {
        o.field("name", field.name)
        o.field("value", field.value)
    }

    static var sample: Self { Self(BrowserForm.Field(name: "creq", value: "eyJ9")) }
}
