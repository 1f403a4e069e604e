import BillingCore
package import HTTPKit
import JSON
import PaymentDomain
import Postgres

/// `/v1/reconciliations`.
package struct ReconciliationRoutes: Sendable {
    private let policy: ReconciliationPolicy

    /// - Parameter policy: What a chosen match is booked by.
    package init(policy: ReconciliationPolicy) { self.policy = policy }

    package var endpoints: [Endpoint] { [list, read, importFile, cases, readCase, resolve, choose, reports, balances] }

    private static let provider: QueryParameter = .string("provider", max: 32)

    private var list: Endpoint {
        .list(
            "/v1/reconciliations", scope: "reconciliations:read",
            summary: "List imports of settlement lines, newest first",
            filters: [Self.provider], item: ReconciliationRunRecord.self
        ) { db, call, request in
            request.page(
                try ReconciliationRunStore.list(
                    provider: call.query.string("provider"), after: try request.cursor(), limit: request.fetchLimit,
                    in: db))
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/reconciliations/{id}", scope: "reconciliations:read", summary: "Read an import",
            answers: ReconciliationRunRecord.self, problems: ["404 not_found"]
        ) { db, call in
            let id: ReconciliationRunID = try call.id()
            guard let run: ReconciliationRunRecord = try ReconciliationRunStore.find(id, in: db) else {
                throw Problem.notFound("reconciliation", id.rawValue)
            }
            return run
        }
    }

    private var importFile: Endpoint {
        .write(
            .post, "/v1/reconciliations/imports", scope: "reconciliations:write",
            summary: "Import settlement lines from a file; all of them or none", body: ImportSettlementsInput.self,
            answers: ReconciliationRunRecord.self, tellsLocation: true, problems: ["422 invalid_request"]
        ) { db, call, input in
            do {
                let stored = try ImportSettlementFile.store(input.file, provider: input.provider, at: call.now, in: db)
                guard let run: ReconciliationRunRecord = try ReconciliationRunStore.find(stored.run, in: db) else {
                    throw Problem.notFound("reconciliation", stored.run.rawValue)
                }
                return .created(run, location: "/v1/reconciliations/\(run.id)")
            } catch let refused as SettlementFile.Refused {
                throw Problem.invalid(refused.faults.map(\.problem))
            }
        }
    }

    private var cases: Endpoint {
        .list(
            "/v1/reconciliations/cases", scope: "reconciliations:read", summary: "List differences, newest first",
            filters: [
                Self.provider, .enumeration("state", of: ReconciliationCaseState.self),
                .enumeration("reason", of: ReconciliationReason.self),
            ], item: ReconciliationCaseRecord.self
        ) { db, call, request in
            request.page(
                try ReconciliationCaseStore.list(
                    provider: call.query.string("provider"), state: call.query.enumeration("state"),
                    reason: call.query.enumeration("reason"), after: try request.cursor(), limit: request.fetchLimit,
                    in: db))
        }
    }

    private var readCase: Endpoint {
        .read(
            "/v1/reconciliations/cases/{id}", scope: "reconciliations:read", summary: "Read a difference",
            answers: ReconciliationCaseRecord.self, problems: ["404 not_found"]
        ) { db, call in
            let id: ReconciliationCaseID = try call.id()
            guard let found: ReconciliationCaseRecord = try ReconciliationCaseStore.find(id, in: db) else {
                throw Problem.notFound("reconciliation case", id.rawValue)
            }
            return found
        }
    }

    private var resolve: Endpoint {
        .write(
            .post, "/v1/reconciliations/cases/{id}/resolve", scope: "reconciliations:write",
            summary: "Explain, resolve or write off a difference", body: ResolveCaseInput.self,
            answers: ReconciliationCaseRecord.self, statuses: [200],
            problems: [
                "404 not_found", "409 case_state", "409 fee_booked", "409 amount_too_large", "409 entry_reversed",
            ]
        ) { db, call, input in
            .ok(
                try ResolveReconciliationCase.take(
                    input.action, with: try call.id(), note: input.note, actor: call.principal.id, at: call.now, in: db)
            )
        }
    }

    private var choose: Endpoint {
        let choose = ChooseCandidate(policy: policy)
        return .write(
            .post, "/v1/reconciliations/cases/{id}/choose", scope: "reconciliations:write",
            summary: "Say which of its candidates an ambiguous line is, or that it is none of them",
            body: ChooseCandidateInput.self, answers: ReconciliationCaseRecord.self, statuses: [200],
            problems: [
                "404 not_found", "409 case_state", "409 candidate_taken", "409 candidate_in_parts",
                "422 invalid_request",
            ]
        ) { db, call, input in
            .ok(
                try choose(
                    input.choice, for: try call.id(), note: input.note, actor: call.principal.id, at: call.now, in: db))
        }
    }

    private var reports: Endpoint {
        .whole(
            "/v1/reconciliations/reports", scope: "reconciliations:read",
            summary: "A day by provider and currency: what matched, what differs, what is open",
            filters: [.civilDate("date", required: true), Self.provider], item: ReconciliationReport.self
        ) { db, call in
            guard let date: CivilDate = call.query.civilDate("date") else { return [] }
            return try ReconciliationReportStore.reports(of: date, provider: call.query.string("provider"), in: db)
        }
    }

    private var balances: Endpoint {
        .whole(
            "/v1/reconciliations/balances", scope: "reconciliations:read",
            summary: "A provider's account by its reports and by our books, at the end of a day",
            filters: [.string("provider", max: 32, required: true), .civilDate("date", required: true)],
            item: SettlementBalance.self, snapshot: true
        ) { db, call in
            guard let provider: String = call.query.string("provider"),
                let date: CivilDate = call.query.civilDate("date")
            else { return [] }
            return try ReconciliationReportStore.balances(of: provider, at: date, in: db)
        }
    }
}

extension SettlementFile.Fault {
    /// The fault as a caller sees it: `file[12].gross`.
    var problem: Fault {
        Fault(param: "file[\(line)]" + (column.map { ".\($0.rawValue)" } ?? ""), code: "invalid_line", message: message)
    }
}
