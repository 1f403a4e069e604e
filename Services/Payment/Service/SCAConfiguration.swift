import BillingCore
import Foundation
import PaymentDomain
import PaymentThreeDS
import ServiceKit

extension SCAPolicy {
    /// `payment.sca`, `payment.sca_exemptions`, `payment.sca_countries`, `payment.sca_fraud_rate_bps`.
    /// - Throws: `ServiceConfiguration.Invalid`.
    init(_ configuration: ServiceConfiguration) throws {
        var faults: [String] = []
        func words(_ name: String, _ usual: String) -> [String] {
            configuration.text("payment.\(name)", default: usual).split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
        let known: [String] = SCAExemption.allCases.map(\.rawValue)
        let claimed: [String] = words("sca_exemptions", "trusted_beneficiary,recurring,low_value,risk_analysis")
        if !claimed.allSatisfy(known.contains) {
            faults.append("payment.sca_exemptions must be of \(known.joined(separator: ", "))")
        }
        let countries: [String] = words("sca_countries", "DE,GB")
        if countries.isEmpty
            || !countries.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (65...90).contains($0) } })
        {
            faults.append("payment.sca_countries must be countries such as DE,GB")
        }
        let rate: String = configuration.text("payment.sca_fraud_rate_bps", default: "")
        if !rate.isEmpty, ExactDecimal(rate)?.isNegative ?? true {
            faults.append("payment.sca_fraud_rate_bps must be a decimal such as 5.5, or empty")
        }
        let mode: String = configuration.text("payment.sca", default: "on")
        if !["on", "off"].contains(mode) { faults.append("payment.sca must be on or off") }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        self.init(
            isOn: mode == "on", engine: SCAEngine(exemptions: Set(claimed.compactMap(SCAExemption.init(rawValue:)))),
            countries: countries, fraudRate: ExactDecimal(rate))
    }
}

extension UnauthenticatedPolicy {
    /// `payment.authentication_unavailable`: `charge`, at the merchant's risk, or `decline`.
    /// - Throws: `ServiceConfiguration.Invalid`.
    init(_ configuration: ServiceConfiguration) throws {
        switch configuration.text("payment.authentication_unavailable", default: "charge") {
        case "charge": self = .lenient
        case "decline": self = .strict
        default:
            throw ServiceConfiguration.Invalid(faults: ["payment.authentication_unavailable must be charge or decline"])
        }
    }
}
