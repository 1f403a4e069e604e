package import ArgumentParser
import BillingCore
import Postgres
import ServiceKit

/// `payment-service webhooks …`: what providers have delivered.
package struct WebhooksCommand: AsyncParsableCommand {
    package static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "webhooks", abstract: "What payment providers have delivered.",
            subcommands: [WebhooksList.self, WebhooksReplay.self])
    }

    package init() {}
}

struct WebhooksList: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Lists stored webhooks, newest first.")
    }

    @Option(help: "Only those that are waiting, done or parked.") var state: String?
    @Option(help: "How many at most.") var limit = 100

    func run() async throws {
        let (state, limit) = (state, limit)
        let entries: [InboundLog.Entry] = try await CommandContext.run(service: "payment") { context in
            try await context.pool.transaction(readOnly: true) { db in
                try InboundLog.list(state: state, limit: limit, in: db)
            }
        }
        for entry in entries {
            print(
                "\(entry.id)\t\(entry.receivedAt)\t\(entry.provider)\t\(entry.eventID)\t\(entry.type)\t\(entry.state)\t"
                    + "\(entry.attempts)\t\(entry.reason ?? "-")")
        }
    }
}

struct WebhooksReplay: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "replay",
            abstract: "Has stored webhooks processed again; what they had done before they do not do twice.")
    }

    @Option(help: "Every webhook received since this time (RFC 3339).") var from: String?
    @Option(help: "The number that `webhooks list` shows.") var id: Int64?

    func validate() throws {
        guard (from == nil) != (id == nil) else { throw ValidationError("give either --from or --id") }
    }

    func run() async throws {
        let since: Instant? = try from.map { text in
            guard let since = Instant(rfc3339: text) else { throw ValidationError("--from is not an RFC 3339 time") }
            return since
        }
        let id: Int64? = id
        let count: Int = try await CommandContext.run(service: "payment") { context in
            try await context.pool.transaction { db in try InboundLog.replay(from: since, id: id, in: db) }
        }
        if let id, count == 0 { throw ValidationError("there is no webhook \(id)") }
        print("\(count) webhooks will be processed again")
    }
}
