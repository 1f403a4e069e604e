package import ArgumentParser
import BillingCore
import Foundation
import PaymentDomain
import Postgres
import ServiceKit

/// `payment-service reconcile`.
package struct ReconcileCommand: AsyncParsableCommand {
    package static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "reconcile", abstract: "Providers' settlement lines.", subcommands: [ReconcileImport.self])
    }

    package init() {}
}

/// `payment-service reconcile import`.
struct ReconcileImport: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "import", abstract: "Imports settlement lines from a file of comma-separated values.",
            discussion: "All lines are stored or none. Importing a file again changes nothing.")
    }

    @Option(help: "The provider's name in account names.") var provider: String
    @Argument(help: "The file.") var file: String

    func validate() throws {
        guard ProviderName.isOne(provider) else {
            throw ValidationError("--provider must be 1 to 32 of a-z, 0-9 and _, a letter first")
        }
    }

    func run() async throws {
        let provider: String = provider
        let bytes: Data = try Data(contentsOf: URL(fileURLWithPath: file))
        guard let text = String(bytes: bytes, encoding: .utf8) else { throw ValidationError("\(file) is not UTF-8") }
        do {
            let stored = try await CommandContext.run(service: "payment") { context in
                try await context.pool.transaction { db in
                    let now: Instant = SystemClock().now.adding(try TestClockStore.offset(in: db))
                    return try ImportSettlementFile.store(text, provider: provider, at: now, in: db)
                }
            }
            print("\(stored.run): \(stored.read) lines read, \(stored.new) new")
        } catch let refused as SettlementFile.Refused {
            for fault in refused.faults {
                print("line \(fault.line)\(fault.column.map { ", \($0.rawValue)" } ?? ""): \(fault.message)")
            }
            throw ExitCode.failure
        }
    }
}
