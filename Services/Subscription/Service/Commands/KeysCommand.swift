import ArgumentParser
import BillingCore
import HTTPKit
import Postgres
import ServiceKit

/// `subscription-service keys …`: secret API keys for all services.
struct KeysCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "keys", abstract: "The secret API keys of all services.",
            subcommands: [KeysCreate.self, KeysList.self, KeysRevoke.self, KeysRotate.self])
    }
}

struct KeysCreate: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "create", abstract: "Makes a key and prints its secret, once.")
    }

    @Option(help: "What it is for.") var name: String
    @Option(help: "What it allows, separated by commas: customers:read,payments:* or *.") var scopes: String
    @Option(help: "When it stops working (RFC 3339); never when left out.") var expires: String?

    func run() async throws {
        let end: Instant? = try expires.map { text in
            guard let end = Instant(rfc3339: text) else { throw ValidationError("--expires is not an RFC 3339 time") }
            return end
        }
        let (name, wanted) = (name, scopes.split(separator: ",").map { String($0) })
        let secret: String = try await KeysWork.run { context, db, now in
            try IssueAPIKeys.create(
                name: name, scopes: wanted, mode: context.configuration.mode.rawValue, expiresAt: end, now: now, in: db
            ).secret
        }
        print(secret)
    }
}

struct KeysList: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Lists the newest keys, revoked ones included.")
    }

    func run() async throws {
        let records: [APIKeyRecord] = try await KeysWork.run { _, db, _ in try APIKeys.list(in: db) }
        let now: Instant = SystemClock().now
        for record in records {
            let state: String = record.revokedAt != nil ? "revoked" : (record.isValid(at: now) ? "valid" : "expired")
            print(
                "\(record.id)\t\(record.name)\t\(record.display)…\t\(record.scopes.joined(separator: ","))\t\(state)\t"
                    + (record.expiresAt?.rfc3339 ?? "-"))
        }
    }
}

struct KeysRevoke: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "revoke", abstract: "Ends a key at once.")
    }

    @Argument(help: "The id that `keys list` shows.") var id: String

    func run() async throws {
        let id: APIKeyID = try KeysWork.id(id)
        let revoked: APIKeyRecord = try await KeysWork.run { _, db, now in
            try IssueAPIKeys.revoke(id, now: now, in: db)
        }
        print("revoked \(revoked.id)")
    }
}

struct KeysRotate: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "rotate",
            abstract: "Replaces a key and prints the new secret, once; the old one works for a day.")
    }

    @Argument(help: "The id that `keys list` shows.") var id: String

    func run() async throws {
        let id: APIKeyID = try KeysWork.id(id)
        let secret: String = try await KeysWork.run { context, db, now in
            try IssueAPIKeys.rotate(id, mode: context.configuration.mode.rawValue, now: now, in: db).secret
        }
        print(secret)
    }
}

/// What the commands share. Keys go by real time: the test clock must not make one expire.
enum KeysWork {
    static func id(_ text: String) throws -> APIKeyID {
        guard let id = APIKeyID(text) else { throw ValidationError("\(text) is not the id of a key") }
        return id
    }

    static func run<Result: Sendable>(
        _ body: @escaping @Sendable (CommandContext, borrowing PostgresTransaction, Instant) throws -> Result
    ) async throws -> Result {
        do {
            return try await CommandContext.run(service: SubscriptionAssembly.name) { context in
                let now: Instant = SystemClock().now
                return try await context.pool.transactionRetrying { (db: borrowing PostgresTransaction) in
                    try body(context, db, now)
                }
            }
        } catch let failure as APIKeys.Failure {
            throw ValidationError(explanation(failure))
        }
    }

    private static func explanation(_ failure: APIKeys.Failure) -> String {
        switch failure {
        case .notFound: "there is no such key, or it has ended before"
        case .invalidScope(let scope): "\"\(scope)\" is not a scope such as customers:read"
        case .expired: "the expiry is not in the future"
        }
    }
}
