import BillingCore
import JSON
import PaymentThreeDS

let start = Instant(seconds: 1_795_000_000)
let acsID = "43163cd0-c849-4924-82c1-7bec32b94881"
let directoryID = "1cf815e5-cc85-436f-8e13-9f5e5aea731f"
let otherID = "11111111-2222-4333-8444-555555555555"
/// 3dsecure.io's public sample.
let cavv = "mK225wGt2bLnnLB0UlRky0oHLnU="

let profile = RequestorProfile(
    serverReference: "3DS_TEST", resultURL: "https://pay.example/3ds/result",
    notificationURL: "https://pay.example/3ds/return", requestorID: "r1", requestorName: "Shop",
    requestorURL: "https://shop.example", acquirerBIN: "868491", acquirerMerchantID: "m1", merchantCategory: "5734",
    merchantCountry: "276", merchantName: "Shop")

let cardholder = Cardholder(number: "4000000000000002", expiry: "3412", name: "Test Er")

let script = CardholderBrowser.Script(
    language: "de", javaEnabled: false, colorDepth: 24, screenHeight: 900, screenWidth: 1_600, timeZoneMinutes: -60)

let browser = CardholderBrowser(acceptHeader: "*/*", userAgent: "x", address: "192.0.2.1", script: script)

func eur(_ minor: Int64) -> Money { Money(minor: minor, currency: .eur) }

func terms(
    version: MessageVersion = .v220, scheme: CardScheme = .visa,
    channel: AuthenticationTerms.Channel = .browser, purpose: AuthenticationTerms.Purpose = .payment,
    amount: Money? = eur(1_099), preference: ChallengePreference = .none, decoupledMinutes: Int? = nil
) throws -> AuthenticationTerms {
    try AuthenticationTerms(
        version: version, scheme: scheme, channel: channel, purpose: purpose,
        purchase: amount.map { AuthenticationTerms.Purchase(amount: $0, at: start) }, preference: preference,
        decoupledMinutes: decoupledMinutes)
}

let plainRange = CardRange(first: "4000000000000000", last: "4000000099999999", versions: .v210 ... .v220)
let methodRange = CardRange(
    first: "4000000000000000", last: "4000000099999999", versions: .v210 ... .v220,
    methodURL: "https://acs.example/method")

/// An authentication whose AReq is out.
func asked(_ terms: AuthenticationTerms) throws -> Authentication {
    var authentication = Authentication(terms: terms, range: plainRange)
    let isBrowser: Bool = terms.channel == .browser
    _ = try authentication.ask(as: profile, cardholder, browser: isBrowser ? browser : nil, at: start)
    return authentication
}

/// An authentication whose cardholder is at the issuer's page.
func challenged(_ terms: AuthenticationTerms? = nil, session: String? = nil) throws -> Authentication {
    var authentication = try asked(try terms ?? PaymentThreeDSTests.terms())
    let error = try authentication.receive(response(authentication, "C"), at: start)
    guard error == nil else { throw FixtureFault(error: error) }
    _ = try authentication.beginChallenge(window: .fullPage, session: session, at: start)
    return authentication
}

struct FixtureFault: Error { let error: ErrorMessage? }

typealias Changes = [(String, JSONValue?)]

/// Members with some of them changed, added, or (`nil`) left out.
func message(_ members: [(String, JSONValue)], _ changes: Changes) -> [UInt8] {
    var all: [(String, JSONValue)] = members
    for (name, value) in changes {
        all.removeAll { $0.0 == name }
        if let value { all.append((name, value)) }
    }
    return JSONValue.object(all.map { JSONMember(name: $0.0, value: $0.1) }).serialized
}

/// An ARes with all that its status needs.
func response(_ authentication: Authentication, _ status: String, _ changes: Changes = []) -> [UInt8] {
    let isMastercard: Bool = authentication.terms.scheme == .mastercard
    var members: [(String, JSONValue)] = [
        ("messageType", "ARes"), ("messageVersion", .string(authentication.terms.version.rawValue)),
        ("threeDSServerTransID", .string(authentication.id.description)), ("acsTransID", .string(acsID)),
        ("dsTransID", .string(directoryID)), ("acsReferenceNumber", "ACS"), ("acsOperatorID", "OP"),
        ("dsReferenceNumber", "DS"), ("transStatus", .string(status)),
    ]
    switch status {
    case "Y": members += [("authenticationValue", .string(cavv)), ("eci", isMastercard ? "02" : "05")]
    case "A": members += [("authenticationValue", .string(cavv)), ("eci", isMastercard ? "01" : "06")]
    case "C":
        members += [
            ("acsURL", "https://acs.example/challenge"), ("acsChallengeMandated", "N"), ("authenticationType", "02"),
        ]
    case "D": members += [("acsDecConInd", "Y"), ("authenticationType", "04")]
    case "N", "U", "R": members += [("transStatusReason", "01")]
    default: break
    }
    return message(members, changes)
}

/// An RReq with all that its status needs.
func result(_ authentication: Authentication, _ status: String, _ changes: Changes = []) -> [UInt8] {
    let isMastercard: Bool = authentication.terms.scheme == .mastercard
    var members: [(String, JSONValue)] = [
        ("messageType", "RReq"), ("messageVersion", .string(authentication.terms.version.rawValue)),
        ("threeDSServerTransID", .string(authentication.id.description)), ("acsTransID", .string(acsID)),
        ("dsTransID", .string(directoryID)),
        ("messageCategory", authentication.terms.purchase == nil ? "02" : "01"), ("transStatus", .string(status)),
        ("interactionCounter", "01"), ("authenticationMethod", "02"), ("authenticationType", "02"),
        ("acsRenderingType", ["acsInterface": "02", "acsUiTemplate": "05"]),
    ]
    switch status {
    case "Y": members += [("authenticationValue", .string(cavv)), ("eci", isMastercard ? "02" : "05")]
    case "A": members += [("authenticationValue", .string(cavv)), ("eci", isMastercard ? "01" : "06")]
    default: members += [("transStatusReason", "01")]
    }
    return message(members, changes)
}

/// The form field `cres`.
func returned(_ authentication: Authentication, _ status: String = "Y", _ changes: Changes = []) -> String {
    Base64.url.encode(
        message(
            [
                ("messageType", "CRes"), ("messageVersion", .string(authentication.terms.version.rawValue)),
                ("threeDSServerTransID", .string(authentication.id.description)), ("acsTransID", .string(acsID)),
                ("transStatus", .string(status)),
            ], changes))
}
