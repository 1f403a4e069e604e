import BillingCore
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("The issuer's list of trusted beneficiaries") struct TrustedBeneficiaryTests {
    @Test("an issuer that asks although the merchant was on its list, or that says so, takes it off the list")
    func distrusted() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let trusted: SQL = "SELECT trusted_beneficiary::text FROM payment_methods"
            // Its bank takes no exemption.
            let customer: CustomerID = try await world.payer("4000002500009806")
            try await world.execute("UPDATE payment_methods SET trusted_beneficiary = true")
            let asked: PaymentRecord = try await world.pay(customer, 90_000, "EUR")
            #expect(asked.status == .requiresAction && word(asked) == "required soft_decline -")
            #expect(try await world.texts(trusted) == ["false"])
            // A no says nothing of a list, whatever comes with it; nor does an attempt that is only noted.
            directory.trust("Y")
            _ = try await world.authenticate(asked.id)
            _ = try await #require(world.work.authenticate).result(directory.result("N"))
            #expect(try await world.payment(asked.id).decline == .authenticationFailed)
            #expect(try await world.texts(trusted) == ["false"])
            for (status, told, kept) in [
                ("A", "Y", "false"), ("Y", "Y", "true"), ("Y", nil, "true"), ("A", "N", "true"), ("Y", "N", "false"),
                ("Y", "Y", "true"), ("Y", "R", "false"),
            ] {
                directory.answer(status)
                directory.trust(told)
                // A risk is asked about, whoever is on a list.
                let payment: PaymentRecord = try await world.pay(customer, 1_000, "EUR", score: "0.7600")
                #expect(payment.status == .requiresAction)
                _ = try await world.authenticate(payment.id)
                #expect(try await world.texts(trusted) == [kept], "\(status) \(told ?? "-")")
            }
        }
    }
}
