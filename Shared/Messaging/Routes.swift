public import BillingCore
public import BillingEvents
public import Postgres

/// What a handler may say of an event it cannot take.
public enum Refusal: Error, Equatable, Sendable {
    /// The message can never work: it is parked with this reason and the partition moves on.
    case park(reason: String)

    /// Why an event can never work: its handler says so, or what follows from it is larger than any broker takes, which it
    /// would be at every try. `nil` for what may pass.
    static func reason(in error: any Error) -> String? {
        switch error {
        case Refusal.park(let reason): reason
        case let failure as Outbox.Failure: "what follows from it cannot be published: \(failure)"
        default: nil
        }
    }
}

/// What a handler knows beside the events.
public struct EventContext: Sendable {
    /// The business clock.
    public let now: Instant

    /// Makes a context; used by the consumer and by tests.
    public init(now: Instant) { self.now = now }
}

/// How one event type is handled.
public struct EventRoute: Sendable {
    /// The wire name it handles.
    public let type: String
    let prepare: @Sendable ([RawEvent], EventContext) async throws -> any PreparedHandler

    /// Handles a batch inside the transaction that claims it.
    /// - Parameter handle: Gets new events only, in order per key. Throwing rolls everything back; each event is then
    ///   handled alone, and one that still fails is parked (``Refusal/park(reason:)``, or an effect that no broker takes), or
    ///   retried behind its key.
    public static func on<Body: EventBody>(
        _ type: Body.Type,
        _ handle: @escaping @Sendable ([Envelope<Body>], borrowing PostgresTransaction, EventContext) throws -> Void
    ) -> EventRoute {
        EventRoute(type: Body.type) { _, context in
            TypedHandler<Body> { events, db in try handle(events, db, context) }
        }
    }

    /// Handles a batch after an asynchronous step outside the transaction, such as a look-up in Redis.
    /// - Parameters:
    ///   - prepare: Gets all events of the type in the batch, repeated deliveries included; must be idempotent.
    ///   - handle: As in ``on(_:_:)``, with what `prepare` returned.
    public static func on<Body: EventBody, Prepared: Sendable>(
        _ type: Body.Type,
        prepare: @escaping @Sendable ([Envelope<Body>], EventContext) async throws -> Prepared,
        handle:
            @escaping @Sendable (
                [Envelope<Body>], Prepared, borrowing PostgresTransaction, EventContext
            ) throws -> Void
    ) -> EventRoute {
        EventRoute(type: Body.type) { raw, context in
            let events: [Envelope<Body>] = raw.compactMap { try? $0.decode(as: Body.self) }
            let prepared: Prepared = try await prepare(events, context)
            return TypedHandler<Body> { events, db in try handle(events, prepared, db, context) }
        }
    }
}

/// A route ready to run inside a transaction.
protocol PreparedHandler: Sendable {
    func handle(_ events: [RawEvent], in db: borrowing PostgresTransaction) throws
}

struct TypedHandler<Body: EventBody>: PreparedHandler {
    let body: @Sendable ([Envelope<Body>], borrowing PostgresTransaction) throws -> Void

    func handle(_ events: [RawEvent], in db: borrowing PostgresTransaction) throws {
        var typed: [Envelope<Body>] = []
        typed.reserveCapacity(events.count)
        for event in events {
            do { typed.append(try event.decode(as: Body.self)) } catch {
                throw Refusal.park(reason: "\(error)")
            }
        }
        try body(typed, db)
    }
}

/// Whether somebody waits for what a consumer does, or for what follows from events.
public enum Urgency: Sendable {
    /// A customer or another service may wait: a consumer handles every batch as soon as it is there, and events leave as
    /// soon as they are committed.
    case waitedFor
    /// Nobody waits. A consumer at ease waits a few milliseconds for what comes with an event. After a batch it rests, the
    /// longer the larger the batch was: under load it works on fewer, larger ones and leaves the database to the others; at
    /// ease it is hardly later than they are. Events may wait a few milliseconds to leave with others: a way through the
    /// broker and all consumers costs the same for one as for twenty.
    case background
}

/// What a service listens to.
public struct EventConsumer: Sendable {
    /// Names the consumer group and the inbox claims: the service's name.
    public let name: String
    /// The topics subscribed to.
    public let topics: [Topic]
    let urgency: Urgency
    let routes: [String: EventRoute]
    let observe: (@Sendable ([RawEvent], borrowing PostgresTransaction, EventContext) throws -> Void)?

    /// Declares what is handled. Events of known types without a route are ignored; unknown types are parked.
    /// - Parameter observe: Called in the same transaction with all newly claimed events of the batch, whatever their
    ///   type; with it every known type counts as handled.
    public init(
        name: String, topics: [Topic], urgency: Urgency = .waitedFor, routes: [EventRoute],
        observe: (@Sendable ([RawEvent], borrowing PostgresTransaction, EventContext) throws -> Void)? = nil
    ) {
        self.name = name
        self.topics = topics
        self.urgency = urgency
        var byType: [String: EventRoute] = [:]
        for route in routes {
            precondition(byType[route.type] == nil, "two routes for \(route.type)")
            byType[route.type] = route
        }
        self.routes = byType
        self.observe = observe
    }

    /// The same consumer with one more topic and route.
    public func adding(_ route: EventRoute, on topic: Topic) -> EventConsumer {
        let topics: [Topic] = topics.contains(topic) ? topics : topics + [topic]
        return EventConsumer(
            name: name, topics: topics, urgency: urgency, routes: Array(routes.values) + [route], observe: observe)
    }

    /// The types it claims.
    public var handledTypes: [String] {
        let known: [any EventBody.Type] = EventCatalog.all.filter { topics.contains($0.topic) }
        return known.map { $0.type }.filter { observe != nil || routes[$0] != nil }.sorted()
    }
}
