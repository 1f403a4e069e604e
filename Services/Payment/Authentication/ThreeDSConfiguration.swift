package import PaymentContract
package import PaymentThreeDS
package import ServiceKit

/// Whether 3-D Secure is run here: with `THREEDS_DIRECTORY_URL`, and in sandbox mode only, as the directory server has to
/// be told card numbers, which a live service leaves to its providers.
package enum ThreeDSConfiguration {
    /// The 3DS server; `nil` where none is configured.
    /// - Parameters:
    ///   - publicURL: Where directory servers and browsers reach this service.
    ///   - policy: What is done where nobody can be asked.
    /// - Throws: `ServiceConfiguration.Invalid`.
    package static func server(
        _ environment: [String: String], isLive: Bool, publicURL: String, policy: UnauthenticatedPolicy,
        transport: any ProviderTransport
    ) throws(ServiceConfiguration.Invalid) -> ThreeDSServer? {
        guard let url: String = environment["THREEDS_DIRECTORY_URL"], !url.isEmpty else { return nil }
        guard !isLive else {
            throw ServiceConfiguration.Invalid(faults: ["THREEDS_DIRECTORY_URL must not be set in live mode"])
        }
        func text(_ name: String, _ usual: String) -> String {
            environment["THREEDS_\(name)"].flatMap { $0.isEmpty ? nil : $0 } ?? usual
        }
        let profile = RequestorProfile(
            serverReference: text("SERVER_REFERENCE", "REFRAIN_SANDBOX"),
            resultURL: "\(publicURL)/v1/three_d_secure/results",
            notificationURL: "\(publicURL)/v1/three_d_secure/return", requestorID: text("REQUESTOR_ID", "sandbox"),
            requestorName: text("REQUESTOR_NAME", "Refrain sandbox"), requestorURL: publicURL,
            acquirerBIN: text("ACQUIRER_BIN", "400000"), acquirerMerchantID: text("ACQUIRER_MERCHANT_ID", "sandbox"),
            merchantCategory: text("MERCHANT_CATEGORY", "5734"), merchantCountry: text("MERCHANT_COUNTRY", "276"),
            merchantName: text("MERCHANT_NAME", "Refrain sandbox"))
        return ThreeDSServer(
            url: url, profile: profile, policy: policy, offersDecoupled: text("DECOUPLED", "listed") == "always",
            transport: transport)
    }
}
