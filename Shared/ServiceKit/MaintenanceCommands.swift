import ArgumentParser
import BillingCore
import BillingEvents
import Logging
import Messaging
import Postgres
import Redis

/// What an assembly declares, for commands that do not run it.
enum Declared {
    static func consumers<Assembly: ServiceAssembly>(
        _ type: Assembly.Type, _ context: CommandContext
    ) throws -> [EventConsumer] {
        let logger = Logger(label: "refrain.\(Assembly.name)")
        let parts = ServiceParts(
            configuration: context.configuration, pool: context.pool,
            redis: RedisClient(context.configuration.redis, logger: logger),
            clock: OffsetClock(), logger: logger, peers: PeerClient(urls: [:]))
        let consumers: [EventConsumer] = try Assembly(parts).consumers
        guard !Assembly.issuesAPIKeys, let first: EventConsumer = consumers.first else { return consumers }
        return [first.adding(FollowAPIKeys.route, on: .access)] + consumers.dropFirst()
    }
}

struct Parked<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "parked", abstract: "Messages that could not be handled.",
            subcommands: [
                ParkedList<Assembly>.self, ParkedShow<Assembly>.self, ParkedRequeue<Assembly>.self,
                ParkedDiscard<Assembly>.self,
            ])
    }
}

struct ParkedList<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Lists what is parked, oldest first.")
    }

    @Option(help: "How many at most.") var limit = 100

    func run() async throws {
        let limit: Int = limit
        let entries: [ParkingLot.Entry] = try await CommandContext.run(service: Assembly.name) { context in
            try await context.pool.transaction(readOnly: true) { db in try ParkingLot.list(limit: limit, in: db) }
        }
        for entry in entries {
            print(
                "\(entry.id)\t\(entry.parkedAt)\t\(entry.topic)\t\(entry.type ?? "-")\t\(entry.key ?? "-")\t\(entry.reason)"
            )
        }
    }
}

struct ParkedShow<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "show", abstract: "Shows a parked message with its body.")
    }

    @Argument(help: "The number that `parked list` shows.") var id: Int64

    func run() async throws {
        let id: Int64 = id
        let entry: ParkingLot.Entry? = try await CommandContext.run(service: Assembly.name) { context in
            try await context.pool.transaction(readOnly: true) { db in try ParkingLot.show(id, in: db) }
        }
        guard let entry else { throw ValidationError("nothing is parked under \(id)") }
        print("topic: \(entry.topic)\ntype: \(entry.type ?? "-")\nkey: \(entry.key ?? "-")\nreason: \(entry.reason)")
        print(String(decoding: entry.body, as: UTF8.self))
    }
}

struct ParkedRequeue<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "requeue", abstract: "Hands a parked message back to the service.")
    }

    @Argument(help: "The number that `parked list` shows.") var id: Int64

    func run() async throws {
        let id: Int64 = id
        let isDone: Bool = try await CommandContext.run(service: Assembly.name) { context in
            try await context.pool.transaction { db in try ParkingLot.requeue(id, in: db) }
        }
        guard isDone else { throw ValidationError("\(id) is not parked, or is not a readable event") }
        print("requeued \(id)")
    }
}

struct ParkedDiscard<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "discard", abstract: "Gives a parked message up for good.")
    }

    @Argument(help: "The number that `parked list` shows.") var id: Int64
    @Flag(help: "None of the services has published it: it no longer counts as handled.") var foreign: Bool = false

    func run() async throws {
        let id: Int64 = id
        let foreign: Bool = foreign
        let isDone: Bool = try await CommandContext.run(service: Assembly.name) { context in
            try await context.pool.transaction { db in try ParkingLot.discard(id, isForeign: foreign, in: db) }
        }
        guard isDone else { throw ValidationError("nothing is parked under \(id)") }
        print("discarded \(id)")
    }
}

struct OutboxCommand<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "outbox", abstract: "The events this service has published.",
            subcommands: [OutboxReplay<Assembly>.self])
    }
}

struct OutboxReplay<Assembly: ServiceAssembly>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "replay",
            abstract: "Publishes events again, in order; consumers drop what they have handled before.")
    }

    @Option(help: "Every event recorded since this time (RFC 3339).") var from: String

    func run() async throws {
        guard let from = Instant(rfc3339: from) else { throw ValidationError("--from is not an RFC 3339 time") }
        let count: Int = try await CommandContext.run(service: Assembly.name) { context in
            try await context.pool.transaction { db in try Outbox.replay(from: from, in: db) }
        }
        print("\(count) events will be published again")
    }
}
