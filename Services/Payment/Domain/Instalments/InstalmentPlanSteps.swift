import BillingCore

/// What customers and merchants do to a plan. The day has been counted before.
extension InstalmentPlan {
    mutating func pay(_ number: Int, _ amount: Money, _ provider: String) throws -> [InstalmentEntry] {
        let index: Int = try index(of: number)
        let before: Instalment = instalments[index]
        let status: InstalmentStatus = try after(.pay, from: before.status)
        let owed: Money = try before.owed()
        guard amount == owed else { throw InstalmentError.wrongAmount(owed: owed) }
        instalments[index].status = status
        var entries: [InstalmentEntry] = []
        // Paid before its day, the whole charge was paid: it is income now.
        if !before.status.hasComeDue { entries.append(try earnedEntry(before.charge)) }
        entries.append(
            InstalmentEntry(
                .paid, on: day,
                [
                    InstalmentLedger.debit(Ledger.providerBalance(provider), amount),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, amount),
                ]))
        return entries
    }

    mutating func waive(_ number: Int) throws -> [InstalmentEntry] {
        let index: Int = try index(of: number)
        instalments[index].status = try after(.waive, from: instalments[index].status)
        let fee: Money = instalments[index].lateFee
        instalments[index].lateFee = .zero(fee.currency)
        try cancelIfEmpty(index)
        return [
            InstalmentEntry(
                .lateFeeWaived, on: day,
                [
                    InstalmentLedger.debit(InstalmentLedger.lateFees, fee),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, fee),
                ])
        ]
    }

    mutating func settle(_ amount: Money, _ provider: String) throws -> [InstalmentEntry] {
        _ = try after(.settle, from: status)
        let settlement: Settlement = try settlement(on: day)
        guard amount == settlement.amount else { throw InstalmentError.wrongAmount(owed: settlement.amount) }
        let earned: Money = try unearnedCharge().subtracting(settlement.rebate)
        for index in instalments.indices where instalments[index].status.isOpen {
            instalments[index].charge = try instalments[index].earned(on: day)
            instalments[index].status = try after(.settle, from: instalments[index].status)
        }
        return [
            try earnedEntry(earned),
            InstalmentEntry(
                .settledEarly, on: day,
                [
                    InstalmentLedger.debit(Ledger.providerBalance(provider), amount),
                    InstalmentLedger.debit(InstalmentLedger.unearned, settlement.rebate),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, amount.adding(settlement.rebate)),
                ]),
        ]
    }

    mutating func refund(_ amount: Money, _ provider: String) throws -> [InstalmentEntry] {
        guard status != .defaulted, status != .canceled else {
            throw InstalmentError.notAllowed(.cancel, in: status)
        }
        guard amount.currency == purchaseLeft.currency else { throw InstalmentError.wrongCurrency(amount.currency) }
        guard amount.isPositive else { throw InstalmentError.notPositive }
        guard amount.minor <= purchaseLeft.minor else { throw InstalmentError.refundTooLarge(left: purchaseLeft) }
        let owedBefore: Money = try owed()
        let unearnedBefore: Money = try unearnedCharge()
        let paidBack: Money = try takeOff(amount)
        purchaseLeft = try purchaseLeft.subtracting(amount)
        let unearned: Money = try unearnedBefore.subtracting(unearnedCharge())
        return [
            InstalmentEntry(
                .refunded, on: day,
                [
                    InstalmentLedger.debit(Ledger.customerRefunds, amount),
                    InstalmentLedger.debit(InstalmentLedger.unearned, unearned),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, owedBefore.subtracting(owed())),
                    try InstalmentLedger.credit(Ledger.providerBalance(provider), paidBack),
                ])
        ]
    }

    mutating func cancel() throws -> [InstalmentEntry] {
        _ = try after(.cancel, from: status)
        guard instalments.allSatisfy({ $0.status.isOpen || $0.status == .canceled }) else {
            throw InstalmentError.alreadyPaid
        }
        let owed: Money = try owed()
        let unearned: Money = try unearnedCharge()
        var lateFees: Money = .zero(owed.currency)
        for index in instalments.indices where instalments[index].status.isOpen {
            lateFees = try lateFees.adding(instalments[index].lateFee)
            instalments[index].status = .canceled
        }
        let earned: Money = try owed.subtracting(purchaseLeft).subtracting(unearned).subtracting(lateFees)
        let refunded: Money = purchaseLeft
        purchaseLeft = .zero(owed.currency)
        return [
            InstalmentEntry(
                .canceled, on: day,
                [
                    InstalmentLedger.debit(Ledger.customerRefunds, refunded),
                    InstalmentLedger.debit(InstalmentLedger.unearned, unearned),
                    InstalmentLedger.debit(offer.terms.charge.incomeAccount, earned),
                    InstalmentLedger.debit(InstalmentLedger.lateFees, lateFees),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, owed),
                ])
        ]
    }

    /// Takes principal off open instalments, the last first, and the charges that it carried.
    /// - Returns: What is left to give back as money.
    private mutating func takeOff(_ amount: Money) throws -> Money {
        var left: Money = amount
        var before: Money = .zero(amount.currency)
        var outstanding: Money = before
        for index in instalments.indices.reversed() where instalments[index].status.isOpen {
            let principal: Money = instalments[index].principal
            let taken: Money = principal.minor < left.minor ? principal : left
            let rest: Money = try principal.subtracting(taken)
            left = try left.subtracting(taken)
            before = try before.adding(principal)
            outstanding = try outstanding.adding(rest)
            try instalments[index].reduce(to: rest, outstanding: outstanding, before: before, on: day)
            try cancelIfEmpty(index)
        }
        return left
    }

    /// An open instalment of which nothing is left to pay is none.
    private mutating func cancelIfEmpty(_ index: Int) throws {
        guard try instalments[index].owed().isZero else { return }
        instalments[index].status = try after(.cancel, from: instalments[index].status)
    }

    private func index(of number: Int) throws(InstalmentError) -> Int {
        guard let index = instalments.firstIndex(where: { $0.number == number }) else {
            throw .unknownInstalment(number)
        }
        return index
    }

    private func after(
        _ step: InstalmentStatus.Step, from status: InstalmentStatus
    ) throws(InstalmentError) -> InstalmentStatus {
        guard let next = status.after(step) else { throw .notAllowed(step, in: status) }
        return next
    }
}
