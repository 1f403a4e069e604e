package import ArgumentParser
import PaymentRecords
import ServiceKit

/// `payment-service ledger`.
package struct LedgerCommand: AsyncParsableCommand {
    package static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "ledger", abstract: "The double-entry ledger.", subcommands: [LedgerVerify.self])
    }

    package init() {}
}

struct LedgerVerify: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "verify",
            abstract: "Proves that entries balance, totals are right, and nothing sealed was changed.",
            discussion:
                "Prints the newest seal; noted down elsewhere and given as --anchor, it proves the chain itself.")
    }

    @Option(help: "A seal as printed before, NUMBER:DIGEST; may be given several times.")
    var anchor: [String] = []

    func run() async throws {
        let anchors: [VerifyLedger.Anchor] = try anchor.map { text in
            guard let anchor = VerifyLedger.Anchor(text) else {
                throw ValidationError("--anchor is not NUMBER:DIGEST: \(text)")
            }
            return anchor
        }
        let report: VerifyLedger.Report = try await CommandContext.run(service: "payment") { context in
            try await VerifyLedger(pool: context.pool)(anchors: anchors)
        }
        print("entries: \(report.entries), not sealed yet: \(report.unsealed)")
        if let last = report.last { print("newest seal: \(last.number):\(last.digest)") }
        for fault in report.faults { print("FAULT: \(fault)") }
        guard report.faults.isEmpty else { throw ExitCode.failure }
        print("the ledger holds")
    }
}
