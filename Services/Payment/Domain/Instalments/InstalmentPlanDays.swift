package import BillingCore

/// What a day may bring to an instalment.
private struct DayChange {
    enum Kind { case fallDue, fallLate, giveUp }

    let day: CivilDate
    let index: Int
    let kind: Kind
}

/// What the passing of days does to a plan.
extension InstalmentPlan {
    /// Brings the plan to a day, change by change in the order of their days.
    mutating func advance(to target: CivilDate) throws(MoneyError) -> [InstalmentEntry] {
        var entries: [InstalmentEntry] = []
        while let change = nextChange(), change.day <= target {
            day = max(day, change.day)
            entries.append(try take(change))
        }
        day = target
        return entries
    }

    /// The next day on which something changes by itself; `nil` when nothing will.
    package var nextDay: CivilDate? { nextChange()?.day }

    /// The earliest change that only waits for its day; of those on one day, the first instalment's.
    private func nextChange() -> DayChange? {
        var earliest: DayChange?
        let late: LatePolicy = offer.terms.late
        for (index, instalment) in instalments.enumerated() {
            let from: CivilDate = instalment.overdueFrom
            let change: DayChange
            switch instalment.status {
            case .scheduled: change = DayChange(day: instalment.due, index: index, kind: .fallDue)
            case .due: change = DayChange(day: from.adding(days: late.graceDays + 1), index: index, kind: .fallLate)
            case .late:
                change = DayChange(day: from.adding(days: late.defaultAfterDays + 1), index: index, kind: .giveUp)
            case .paid, .settledEarly, .defaulted, .canceled: continue
            }
            if let found = earliest, found.day <= change.day { continue }
            earliest = change
        }
        return earliest
    }

    private mutating func take(_ change: DayChange) throws(MoneyError) -> InstalmentEntry {
        switch change.kind {
        case .fallDue:
            instalments[change.index].status = .due
            return try earnedEntry(instalments[change.index].charge)
        case .fallLate: return try fallLate(change.index)
        case .giveUp: return try writeOff()
        }
    }

    private mutating func fallLate(_ index: Int) throws(MoneyError) -> InstalmentEntry {
        let overdue: Money = try instalments[index].principal.adding(instalments[index].charge)
        let fee: Money = try offer.terms.late.fee(on: overdue)
        instalments[index].status = .late
        instalments[index].lateFee = fee
        return InstalmentEntry(
            .lateFee, on: day,
            [
                InstalmentLedger.debit(InstalmentLedger.receivable, fee),
                try InstalmentLedger.credit(InstalmentLedger.lateFees, fee),
            ])
    }

    /// Charges not yet earned were never income: they leave with what was owed, the rest is a loss.
    private mutating func writeOff() throws(MoneyError) -> InstalmentEntry {
        let open: OpenSums = try openSums()
        for index in instalments.indices where instalments[index].status.isOpen {
            if !instalments[index].status.hasComeDue {
                let unpaid: Money = try instalments[index].openParts().charge
                instalments[index].charge = try instalments[index].charge.subtracting(unpaid)
            }
            instalments[index].status = .defaulted
        }
        return InstalmentEntry(
            .writtenOff, on: day,
            [
                InstalmentLedger.debit(
                    InstalmentLedger.writeOff, try open.principal.adding(open.charge).adding(open.lateFees)),
                InstalmentLedger.debit(InstalmentLedger.unearned, open.unearned),
                try InstalmentLedger.credit(offer.terms.charge.incomeAccount, open.paidUnearned),
                try InstalmentLedger.credit(InstalmentLedger.receivable, open.owed),
            ])
    }

    /// The charges of instalments that have not come due: what stands on the unearned account.
    func unearnedCharge() throws(MoneyError) -> Money {
        var sum: Money = .zero(offer.purchase.currency)
        for instalment in instalments where instalment.status == .scheduled {
            sum = try sum.adding(instalment.charge)
        }
        return sum
    }

    /// A part of the charge becomes income.
    func earnedEntry(_ charge: Money) throws(MoneyError) -> InstalmentEntry {
        InstalmentEntry(
            .earned, on: day,
            [
                InstalmentLedger.debit(InstalmentLedger.unearned, charge),
                try InstalmentLedger.credit(offer.terms.charge.incomeAccount, charge),
            ])
    }
}
