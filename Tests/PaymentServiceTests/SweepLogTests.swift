import BillingCore
import BillingEvents
import Logging
import PaymentDomain
import PaymentRecords
import PaymentService
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("What the sweeper tells of money") struct SweepLogTests {
    /// Log lines as they are written.
    private final class Lines: Sendable {
        private let written = Mutex<[String]>([])

        var logger: Logger {
            Logger(label: "test") { label in
                JSONLogHandler(
                    service: "payment", label: label,
                    sink: LogSink { line in
                        let text = String(decoding: line, as: UTF8.self)
                        self.written.withLock { $0.append(text) }
                    })
            }
        }

        /// How many lines say something of a payment.
        func count(_ words: String, _ payment: PaymentRecord) -> Int {
            written.withLock { $0.count { $0.contains(words) && $0.contains(payment.id.rawValue) } }
        }
    }

    @Test("payments that the fallback decided, and those whose money goes back, are named one by one") func named()
        async throws
    {
        try await withPayments { world in
            let lines = Lines()
            let work = PaymentUseCases(
                pool: world.database, providers: world.providers, clock: world.clock,
                policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .approve),
                logger: lines.logger)
            let customer: CustomerID = try await world.payer()
            let silent: [PaymentRecord] = [try await world.created(customer), try await world.created(customer)]
            try await work.sweep.pass()
            for payment in silent {
                #expect(try await world.settled(payment.id).status == .succeeded)
                #expect(lines.count("fraud was silent", payment) == 1)
            }
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let owed: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(owed)
            #expect(try await world.settled(owed.id).status == .succeeded)
            await world.deliver([world.voided(invoice, customer)])
            for _ in 0..<2 { try await work.sweep.pass() }
            #expect(lines.count("nobody owes", owed) == 1)
        }
    }
}
