import BillingCore
import HTTPKit
import JSON
import Messaging
import Postgres

/// Routes between the services, which the gateway does not route. They carry counts and the sandbox's time, nothing else.
struct InternalRoutes<Assembly: ServiceAssembly>: Sendable {
    let pool: PostgresPool
    let clock: OffsetClock
    let consumers: [EventConsumer]

    var endpoints: [Endpoint] { [progress, rest, setClock] }

    private var progress: Endpoint {
        let pool: PostgresPool = pool
        let consumers: [EventConsumer] = consumers
        return .task(
            .get, "/internal/progress", scope: nil, summary: "How far this service's events have come",
            body: NoInput.self, answers: ProgressReport.self, statuses: [200], needsKey: false, isInternal: true
        ) { _, _ in
            let members: [JSONMember] = try await pool.transaction(readOnly: true) { db in
                let report: [JSONMember] = try Progress.report(
                    service: Assembly.name, consumers: consumers, withSums: false, in: db)
                let inFlight: Int64 = try Assembly.inFlight(db)
                return report + [JSONMember(name: "in_flight", value: .number(String(inFlight)))]
            }
            return Reply(status: 200, ProgressReport(members: members))
        }
    }

    private var rest: Endpoint {
        let pool: PostgresPool = pool
        return .task(
            .get, "/internal/rest", scope: nil, summary: "Whether this service has anything to do, without counting",
            body: NoInput.self, answers: RestReport.self, statuses: [200], needsKey: false, isInternal: true
        ) { _, _ in
            let report: RestReport = try await pool.transaction(readOnly: true) { db in
                try RestReport(service: Assembly.name, inFlight: Assembly.inFlight, in: db)
            }
            return Reply(status: 200, report)
        }
    }

    private var setClock: Endpoint {
        let pool: PostgresPool = pool
        let clock: OffsetClock = clock
        return .task(
            .put, "/internal/test_clock", scope: nil, summary: "Moves this service's clock forward",
            body: ClockInput.self, answers: ClockReport.self, statuses: [200], needsKey: false, isInternal: true
        ) { _, input in
            let offset: Duration = clock.offset(reaching: input.now)
            let stored: Duration = try await pool.transaction { db in
                try TestClockStore.advance(to: offset, in: db)
                return try TestClockStore.offset(in: db)
            }
            clock.setOffset(stored)
            return Reply(status: 200, ClockReport(now: clock.now))
        }
    }
}

/// A service's progress as JSON.
struct ProgressReport: JSONOutput {
    let members: [JSONMember]

    func write(to o: inout ObjectWriter) {
        for member in members { o.field(member.name, member.value) }
    }

    static var sample: Self { Self(members: []) }
}

/// The time to go to.
struct ClockInput: JSONInput {
    let now: Instant

    init(_ f: inout InputFields) { now = f.instant("now") }
}

/// The time it is.
struct ClockReport: JSONOutput {
    let now: Instant

    func write(to o: inout ObjectWriter) { o.field("now", now) }

    static var sample: Self { Self(now: .sample) }
}
