import Foundation
import JSON
import PaymentDomain
import TestKit
import Testing

/// What the providers' own documents, which the doubles keep, list as reasons of a refusal: each is read, or known to tell
/// nothing.
@Suite("The providers' lists of refusals") struct DeclineEnumerationTests {
    /// The words that a document lists for a property: `charge.outcome.advice_code` is one of the schema `charge`.
    private static func words(of property: String, in file: String) throws -> Set<String> {
        let path: String = try testSetting("PEERS") + "/" + file
        let limits = JSONLimits(maxBytes: 1 << 24, maxDepth: 128, maxMembers: 1 << 16, maxValues: 1 << 22)
        let document: JSONValue = try parseJSON(String(contentsOfFile: path, encoding: .utf8), limits: limits)
        let names: [String] = property.split(separator: ".").map(String.init)
        var schema: JSONValue = try #require(document["components"]?["schemas"]?[names[0]])
        for name in names.dropFirst() { schema = try #require(schema["properties"]?[name]) }
        return Set(try #require(schema["enum"]?.arrayValue).compactMap(\.stringValue))
    }

    private static let stripe = "stripe-mock/spec/stripe-2026-10-28.derived.json"

    @Test(
        "every processor response code of PayPal",
        arguments: ["checkout_orders_v2", "payments_payment_v2", "vault_payment_tokens_v3"])
    func processorCodes(document: String) throws {
        let file: String = "paypal-mock/spec/\(document).json"
        let codes: Set<String> = try Self.words(of: "processor_response.response_code", in: file)
        #expect(codes.count > 100 && codes.contains("5120"))
        let unread: Set<String> = codes.subtracting(PayPalDeclines.processorCodes.keys)
        #expect(unread.subtracting(PayPalDeclines.silent).isEmpty)
        let advice: Set<String> = try Self.words(of: "processor_response.payment_advice_code", in: file)
        #expect(!advice.isEmpty && advice.allSatisfy { MerchantAdviceCode(rawValue: $0) != nil })
    }

    @Test(
        "every error code and type of Stripe",
        arguments: [
            "payment_intent.last_payment_error.code", "payment_intent.last_payment_error.type",
            "setup_intent.last_setup_error.code", "setup_intent.last_setup_error.type",
        ])
    func errorCodes(property: String) throws {
        let codes: Set<String> = try Self.words(of: property, in: Self.stripe)
        #expect(codes.contains("card_declined") || codes.contains("card_error"))
        let unread: Set<String> = codes.subtracting(StripeDeclines.codes.keys)
        #expect(unread.subtracting(StripeDeclines.silent).isEmpty)
    }

    @Test("every advice of Stripe") func advice() throws {
        let advice: Set<String> = try Self.words(of: "charge.outcome.advice_code", in: Self.stripe)
        #expect(advice == Set(StripeDeclines.advice.keys))
    }
}
