import Foundation
import PaymentDomain
import TestKit
import Testing

@Suite("The states of a payment") struct PaymentStatusTests {
    /// Every state and every step; `nil` where the step is refused.
    private static let table: [(PaymentStatus, PaymentStatus.Step, PaymentStatus?)] = [
        (.requiresConfirmation, .confirm, .created),
        (.requiresConfirmation, .approve, nil),
        (.requiresConfirmation, .block, nil),
        (.requiresConfirmation, .authorize, nil),
        (.requiresConfirmation, .capturePart, nil),
        (.requiresConfirmation, .capture, nil),
        (.requiresConfirmation, .release, nil),
        (.requiresConfirmation, .decline, nil),
        (.requiresConfirmation, .await, nil),
        (.requiresConfirmation, .challenge, nil),
        (.requiresConfirmation, .authenticate, nil),
        (.requiresConfirmation, .retry, nil),
        (.requiresConfirmation, .cancel, .canceled),
        (.requiresConfirmation, .replace, nil),
        (.requiresConfirmation, .keep, nil),
        (.requiresConfirmation, .reopen, nil),

        (.created, .approve, .processing),
        (.created, .block, .failed),
        (.created, .authorize, nil),
        (.created, .capturePart, nil),
        (.created, .capture, nil),
        (.created, .release, nil),
        (.created, .decline, nil),
        (.created, .await, nil),
        (.created, .challenge, nil),
        (.created, .authenticate, nil),
        (.created, .retry, nil),
        (.created, .cancel, .canceled),
        (.created, .replace, nil),
        (.created, .keep, nil),
        (.created, .confirm, nil),
        (.created, .reopen, nil),

        (.processing, .approve, nil),
        (.processing, .block, nil),
        (.processing, .authorize, .authorized),
        (.processing, .capturePart, nil),
        (.processing, .capture, .succeeded),
        (.processing, .release, nil),
        (.processing, .decline, .failed),
        (.processing, .await, .processing),
        (.processing, .challenge, .requiresAction),
        (.processing, .authenticate, nil),
        (.processing, .retry, nil),
        (.processing, .cancel, nil),
        (.processing, .replace, nil),
        (.processing, .keep, nil),
        (.processing, .confirm, nil),
        (.processing, .reopen, nil),

        (.requiresAction, .approve, nil),
        (.requiresAction, .block, nil),
        (.requiresAction, .authorize, .authorized),
        (.requiresAction, .capturePart, nil),
        (.requiresAction, .capture, .succeeded),
        (.requiresAction, .release, .canceling),
        (.requiresAction, .decline, .failed),
        (.requiresAction, .await, .processing),
        (.requiresAction, .challenge, nil),
        (.requiresAction, .authenticate, .created),
        (.requiresAction, .retry, nil),
        (.requiresAction, .cancel, .canceled),
        (.requiresAction, .replace, .created),
        (.requiresAction, .keep, nil),
        (.requiresAction, .confirm, nil),
        (.requiresAction, .reopen, nil),

        (.authorized, .approve, nil),
        (.authorized, .block, nil),
        (.authorized, .authorize, nil),
        (.authorized, .capturePart, .authorized),
        (.authorized, .capture, .succeeded),
        (.authorized, .release, .canceling),
        (.authorized, .decline, .failed),
        (.authorized, .await, nil),
        (.authorized, .challenge, nil),
        (.authorized, .authenticate, nil),
        (.authorized, .retry, nil),
        (.authorized, .cancel, .canceled),
        (.authorized, .replace, .created),
        (.authorized, .keep, nil),
        (.authorized, .confirm, nil),
        (.authorized, .reopen, nil),

        (.canceling, .approve, nil),
        (.canceling, .block, nil),
        (.canceling, .authorize, nil),
        (.canceling, .capturePart, nil),
        (.canceling, .capture, .succeeded),
        (.canceling, .release, nil),
        (.canceling, .decline, .failed),
        (.canceling, .await, .processing),
        (.canceling, .challenge, nil),
        (.canceling, .authenticate, nil),
        (.canceling, .retry, nil),
        (.canceling, .cancel, .canceled),
        (.canceling, .replace, .created),
        (.canceling, .keep, .authorized),
        (.canceling, .confirm, nil),
        (.canceling, .reopen, nil),

        (.succeeded, .approve, nil),
        (.succeeded, .block, nil),
        (.succeeded, .authorize, nil),
        (.succeeded, .capturePart, nil),
        (.succeeded, .capture, nil),
        (.succeeded, .release, nil),
        (.succeeded, .decline, nil),
        (.succeeded, .await, nil),
        (.succeeded, .challenge, nil),
        (.succeeded, .authenticate, nil),
        (.succeeded, .retry, nil),
        (.succeeded, .cancel, nil),
        (.succeeded, .replace, nil),
        (.succeeded, .keep, nil),
        (.succeeded, .confirm, nil),
        (.succeeded, .reopen, nil),

        (.failed, .approve, nil),
        (.failed, .block, nil),
        (.failed, .authorize, nil),
        (.failed, .capturePart, nil),
        (.failed, .capture, .succeeded),
        (.failed, .release, nil),
        (.failed, .decline, nil),
        (.failed, .await, nil),
        (.failed, .challenge, nil),
        (.failed, .authenticate, nil),
        (.failed, .retry, .created),
        (.failed, .cancel, .canceled),
        (.failed, .replace, nil),
        (.failed, .keep, nil),
        (.failed, .confirm, nil),
        (.failed, .reopen, .processing),

        (.canceled, .approve, nil),
        (.canceled, .block, nil),
        (.canceled, .authorize, nil),
        (.canceled, .capturePart, nil),
        (.canceled, .capture, .succeeded),
        (.canceled, .release, nil),
        (.canceled, .decline, nil),
        (.canceled, .await, nil),
        (.canceled, .challenge, nil),
        (.canceled, .authenticate, nil),
        (.canceled, .retry, nil),
        (.canceled, .cancel, nil),
        (.canceled, .replace, nil),
        (.canceled, .keep, nil),
        (.canceled, .confirm, nil),
        (.canceled, .reopen, nil),
    ]

    @Test("every step in every state leads where the table says, and the table is whole") func steps() {
        var seen: Set<String> = []
        for (status, step, expected) in Self.table {
            #expect(status.after(step) == expected, "\(status) \(step)")
            seen.insert("\(status.rawValue)/\(step.rawValue)")
        }
        #expect(seen.count == Self.table.count)
        #expect(seen.count == PaymentStatus.allCases.count * PaymentStatus.Step.allCases.count)
    }

    @Test("the README tells every step there is, and where it leads") func told() throws {
        let path = "/Tests/PaymentDomainTests/PaymentStatusTests.swift"
        let root = String(#filePath.prefix(#filePath.count - path.count))
        let text = try String(contentsOfFile: "\(root)/Services/Payment/README.md", encoding: .utf8)
        for status in PaymentStatus.allCases {
            let steps: [String] = PaymentStatus.Step.allCases.compactMap { step in
                status.after(step).map { "\(step.rawValue) `\($0.rawValue)`" }
            }
            let row = "| `\(status.rawValue)` | \(steps.joined(separator: ", ")) |\n"
            #expect(steps.isEmpty || text.contains(row), "\(row)")
        }
    }

    @Test(
        "an attempt begins with a confirmation, after a failure, an authentication, or in the place of one that is over"
    )
    func attempts() {
        let begun: [PaymentStatus] = PaymentStatus.allCases.filter { $0.afterNewAttempt != nil }
        #expect(begun == [.requiresConfirmation, .requiresAction, .authorized, .canceling, .failed])
        #expect(begun.allSatisfy { $0.afterNewAttempt == .created })
    }

    @Test("a settled payment is one that nothing more happens to by itself") func settled() {
        let settled: [(PaymentStatus, Bool)] = [
            (.requiresConfirmation, true), (.created, false), (.processing, false), (.requiresAction, true),
            (.succeeded, true), (.failed, true),
            (.canceled, true), (.authorized, true), (.canceling, false),
        ]
        for (status, expected) in settled { #expect(status.isSettled == expected, "\(status)") }
        #expect(settled.count == PaymentStatus.allCases.count)
    }

    @Test("no way of steps leaves succeeded, nor canceled but by a capture, and nothing else reaches succeeded")
    func walks() {
        var random = Seeded()
        for _ in 0..<500 {
            var status: PaymentStatus = .requiresConfirmation
            for _ in 0..<20 {
                let step: PaymentStatus.Step = PaymentStatus.Step.allCases.randomElement(using: &random) ?? .approve
                guard let next: PaymentStatus = status.after(step) else { continue }
                #expect(status != .succeeded, "seed \(random.seed)")
                #expect(status != .canceled || next == .succeeded, "seed \(random.seed)")
                #expect((next == .succeeded) == (step == .capture), "seed \(random.seed)")
                status = next
            }
        }
    }

    @Test("stored names of states are as the database checks them") func names() {
        #expect(
            PaymentStatus.allCases.map(\.rawValue)
                == [
                    "requires_confirmation", "created", "processing", "requires_action", "authorized", "canceling",
                    "succeeded", "failed", "canceled",
                ])
    }
}
