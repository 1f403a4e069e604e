import BillingCore
import HTTPKit
import JSON
import PaymentContract

/// The page of a link, or the one that asks for a code: the template with the link's data in it.
struct LinkPage: Sendable {
    /// What the page is about.
    enum Subject: Sendable {
        /// A code is asked for.
        case ask
        /// The code leads nowhere.
        case unknown
        /// The address has asked too much.
        case busy
        /// The country is the customer's, as far as it is known.
        case link(LinkStanding, LinkStatus, offers: [LinkOffer], country: String?)
    }

    let assets: PageAssets
    let settings: LinkSettings

    func reply(_ subject: Subject) -> PageReply {
        let link: LinkRecord? = if case .link(let standing, _, _, _) = subject { standing.link } else { nil }
        let language: String = link?.language ?? "en"
        let hasGoogle: Bool = offers(subject).contains { $0.type == LinkMethod.googlePay.rawValue }
        let form: CardForm? = cardForm(subject)
        let values: [String: String] = [
            "language": language, "direction": PageLanguage.isRightToLeft(language) ? "rtl" : "ltr",
            "title": (link?.brand.name ?? "Refrain").markupEscaped,
            "assets": "/pay/assets/\(assets.version)",
            "brand": link.map { "/pay/\($0.code.text)/brand.css" } ?? "/pay/assets/\(assets.version)/plain.css",
            "data": Self.embedded(data(subject)),
            "scripts": (hasGoogle ? Self.script("google-pay", LinkWallets.GooglePay.script) : "")
                + (form.map { Self.script("card-form", $0.script) } ?? ""),
        ]
        return PageReply(
            status: status(subject), contentType: "text/html; charset=utf-8",
            body: Array(Self.filled(assets.template, values).utf8),
            headers: PageHeaders.of(logo: link?.brand.logoURL, googlePay: hasGoogle, form: form))
    }

    private static func script(_ id: String, _ address: String) -> String {
        #"<script async id="\#(id)" src="\#(address.markupEscaped)"></script>"#
    }

    /// Whose form takes cards on this page; `nil`: no provider's.
    private func cardForm(_ subject: Subject) -> CardForm? {
        guard case .link(let standing, .active, let offers, let country) = subject,
            offers.contains(where: { $0.type == LinkMethod.card.rawValue })
        else { return nil }
        return settings.cardForm(standing.link.amount, country: country)?.cardForm
    }

    private func offers(_ subject: Subject) -> [LinkOffer] {
        if case .link(_, .active, let offers, _) = subject { offers } else { [] }
    }

    private func status(_ subject: Subject) -> Int {
        switch subject {
        case .ask: 200
        case .unknown: 404
        case .busy: 429
        case .link(_, .active, _, _), .link(_, .completed, _, _): 200
        case .link: 410
        }
    }

    private func data(_ subject: Subject) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "assets", value: .string("/pay/assets/\(assets.version)"))
        ]
        func add(_ name: String, _ value: JSONValue) { members.append(JSONMember(name: name, value: value)) }
        switch subject {
        case .ask: add("state", "ask")
        case .unknown: add("state", "unknown")
        case .busy: add("state", "busy")
        case .link(let standing, let status, _, let country):
            let link: LinkRecord = standing.link
            let offers: [LinkOffer] = offers(subject)
            add("state", .string(status.rawValue))
            add("code", .string(link.code.text))
            // As text: a script's numbers end at 2 to the 53rd.
            add("amount", .string(String(link.amount.minor)))
            add("currency", .string(link.amount.currency.code))
            add("exponent", .number(String(link.amount.currency.exponent)))
            add("description", .text(link.description))
            add("merchant", .text(link.brand.name))
            add("logo", .text(link.brand.logoURL))
            add("language", .text(link.language))
            add("methods", .array(offers.map { .string($0.type) }))
            add("country", .text(country))
            add("forms", .object(forms(of: offers, country)))
            add("crypto", .object(assets(of: offers)))
            add("success_url", .text(link.successURL))
            add("cancel_url", .text(link.cancelURL))
            add("is_sandbox", .bool(settings.isSandbox))
            add("wallets", wallets(link, country))
            add("creditor", creditor)
            add("keep_method", .string(link.keepMethod.rawValue))
            add("card_form", cardForm(subject).map { ["name": .string($0.name), "key": .string($0.key)] } ?? .null)
        }
        return .object(members)
    }

    /// What methods ask of who pays, by type.
    private func forms(of offers: [LinkOffer], _ country: String?) -> [JSONMember] {
        offers.compactMap { offer in
            let asked: [PayerDetail] = offer.asked(country: country)
            guard !asked.isEmpty else { return nil }
            let countries: JSONValue = offer.countries.map { .array($0.map { .string($0) }) } ?? .null
            return JSONMember(
                name: offer.type,
                value: ["fields": .array(asked.map { .string($0.rawValue) }), "countries": countries])
        }
    }

    /// Names of the crypto assets among methods, by type.
    private func assets(of offers: [LinkOffer]) -> [JSONMember] {
        settings.assets.filter { asset in offers.contains { $0.type == asset.type } }.map {
            JSONMember(name: $0.type, value: .string($0.symbol))
        }
    }

    private var creditor: JSONValue {
        settings.creditor.map { ["name": .string($0.name), "identifier": .string($0.identifier)] } ?? .null
    }

    private func wallets(_ link: LinkRecord, _ country: String?) -> JSONValue {
        guard let merchant: String = settings.wallets?.country else { return .null }
        let google: LinkWallets.GooglePay? = settings.googlePay(link.amount, country: country)
        return ["country": .string(merchant), "google_pay": google?.json ?? .null]
    }

    /// Puts values into their places in one pass, so that no value can hold a place for another.
    static func filled(_ template: String, _ values: [String: String]) -> String {
        var parts: [Substring] = template.split(separator: "{{", omittingEmptySubsequences: false)[...].map { $0 }
        let first: Substring = parts.removeFirst()
        return parts.reduce(into: String(first)) { text, part in
            let ends: [Substring] = part.split(separator: "}}", maxSplits: 1, omittingEmptySubsequences: false)
            guard ends.count == 2, let value: String = values[String(ends[0])] else {
                preconditionFailure("the page's template has a place that nothing goes to: \(part.prefix(40))")
            }
            text += value + ends[1]
        }
    }

    /// JSON inside a script element: nothing in it can end the element or begin a comment.
    static func embedded(_ value: JSONValue) -> String {
        String(decoding: value.serialized, as: UTF8.self).unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "<": text += "\\u003c"
            case ">": text += "\\u003e"
            case "&": text += "\\u0026"
            case "\u{2028}": text += "\\u2028"
            case "\u{2029}": text += "\\u2029"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}

extension JSONValue {
    /// A string, or null.
    static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
}
