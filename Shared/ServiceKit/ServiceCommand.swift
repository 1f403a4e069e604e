public import ArgumentParser
import BillingCore
import Foundation
import JSON
import Logging
import Messaging
public import Postgres
import Telemetry

/// A daemon's command line: `serve`, `migrate` and maintenance.
public struct ServiceCommand<Assembly: ServiceAssembly>: AsyncParsableCommand {
    /// What the service is configured with.
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "\(Assembly.name)-service", abstract: "Refrain's \(Assembly.name) service.",
            subcommands: [
                Serve<Assembly>.self, Migrate<Assembly>.self, Consistency<Assembly>.self, Parked<Assembly>.self,
                OutboxCommand<Assembly>.self,
            ] + Assembly.commands)
    }

    /// Prints the help; the work is in the subcommands.
    public init() {}
}

/// What commands share: a pool on the service's schema for as long as the command runs.
public struct CommandContext: Sendable {
    /// What the service is configured with.
    public let configuration: ServiceConfiguration
    /// Connections to the service's schema.
    public let pool: PostgresPool

    /// Reads the environment of a service.
    public static func run<Result: Sendable>(
        service: String, _ body: @Sendable (CommandContext) async throws -> Result
    ) async throws -> Result {
        let configuration = try ServiceConfiguration(service: service)
        bootstrapLogging(service: service, level: .warning)
        var postgres: PostgresConfiguration = configuration.postgres
        postgres.connections = 1
        // Maintenance reads whole tables.
        postgres.plansReadWholeTables = true
        postgres.statementTimeout = .seconds(600)
        let pool = PostgresPool(postgres, logger: Logger(label: "refrain.\(service)"))
        do {
            let result: Result = try await body(CommandContext(configuration: configuration, pool: pool))
            await pool.shutdown()
            return result
        } catch {
            await pool.shutdown()
            throw error
        }
    }
}

struct Serve<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "serve", abstract: "Answers requests and handles events until told to stop.")
    }

    func run() async throws {
        let configuration = try ServiceConfiguration(service: Assembly.name)
        bootstrapLogging(
            service: Assembly.name, level: configuration.logLevel,
            sink: configuration.logFile.map { LogSink.file($0) } ?? .standardError)
        let logger = Logger(label: "refrain.\(Assembly.name)")
        logger.info(
            "starting", metadata: ["instance": "\(configuration.instance)", "mode": "\(configuration.mode.rawValue)"])
        try await ServiceDaemon<Assembly>(configuration: configuration, logger: logger).run()
    }
}

struct Migrate<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "migrate",
            abstract: "Creates the service's role and schema and applies its migrations. Safe to run many at once.",
            discussion: "REFRAIN_ADMIN_DB_URL names a superuser's connection; without it only migrations are applied.")
    }

    func run() async throws {
        let configuration = try ServiceConfiguration(service: Assembly.name)
        bootstrapLogging(service: Assembly.name, level: .warning)
        let name: String = Assembly.name
        let password: String = configuration.databasePassword.reveal()
        if let admin: String = ProcessInfo.processInfo.environment["REFRAIN_ADMIN_DB_URL"], !admin.isEmpty {
            try configuration.checkAdmin(admin)
            try SchemaProvisioner(url: admin).provision(schema: name, role: name, password: password)
        }
        try Self.checkCounter(configuration)
        for (set, directory) in Self.sets(name, configuration.home) {
            let applied: [String] = try Migrator(directory: directory, schema: name, set: set)
                .run(url: configuration.databaseURL, role: name, password: password.isEmpty ? nil : password)
            for file in applied { print("\(name): applied \(set)/\(file)") }
        }
    }

    /// Refuses a database whose transaction ids stand before those that are kept in it; nothing has been written then.
    private static func checkCounter(_ configuration: ServiceConfiguration) throws {
        let session = PostgresSession(configuration.postgres, logger: Logger(label: "refrain.\(Assembly.name)"))
        try session.connect()
        defer { session.close() }
        try session.transaction(readOnly: true) { db in
            try TransactionCounter.check(Assembly.tablesByTransaction, in: db)
        }
    }

    private static func sets(_ name: String, _ home: String) -> [(String, String)] {
        let folder: String = name.prefix(1).uppercased() + name.dropFirst()
        return [
            ("messaging", "\(home)/Shared/Messaging/Migrations"), ("http", "\(home)/Shared/HTTPKit/Migrations"),
            ("service_kit", "\(home)/Shared/ServiceKit/Migrations"), ("main", "\(home)/Services/\(folder)/Migrations"),
        ]
    }
}

struct Consistency<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "consistency", abstract: "Prints this service's part of the consistency check as JSON.")
    }

    func run() async throws {
        let report: JSONValue = try await CommandContext.run(service: Assembly.name) { context in
            let consumers: [EventConsumer] = try Declared.consumers(Assembly.self, context)
            return try await context.pool.transaction(snapshot: true) { db in
                let now: Instant = SystemClock().now.adding(try TestClockStore.offset(in: db))
                let facts: ConsistencyFacts = try Assembly.consistency(db, now: now)
                var members: [JSONMember] = try Progress.report(
                    service: Assembly.name, consumers: consumers, withSums: true, in: db)
                members.append(JSONMember(name: "in_flight", value: .number(String(try Assembly.inFlight(db)))))
                let stated: [JSONMember] = facts.facts.map { JSONMember(name: $0.0, value: $0.1) }
                members.append(JSONMember(name: "facts", value: .object(stated)))
                members.append(JSONMember(name: "violations", value: .array(facts.violations.map(JSONValue.string))))
                return .object(members)
            }
        }
        print(report)
    }
}
