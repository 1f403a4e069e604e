import BillingCore

/// What customers and merchants do to a plan. The day has been counted before.
extension InstalmentPlan {
    /// The first refusal counts; after the grace none does.
    mutating func decline(_ number: Int, judgedOn: CivilDate) throws(InstalmentError) {
        let index: Int = try index(of: number)
        guard instalments[index].status == .due, instalments[index].judgedOn == nil else { return }
        instalments[index].judgedOn = judgedOn
    }

    mutating func pay(_ number: Int, _ amount: Money) throws -> [InstalmentEntry] {
        let index: Int = try index(of: number)
        let before: Instalment = instalments[index]
        if before.status == .defaulted { return [try recover(index, amount)] }
        let paid: InstalmentStatus = try after(.pay, from: before.status)
        let owed: Money = try before.owed()
        try check(amount, owed: owed)
        instalments[index].paid = try before.paid.adding(amount)
        var entries: [InstalmentEntry] = []
        if amount == owed {
            instalments[index].status = paid
            // Paid before its day, the whole charge was paid: it is income now.
            if !before.status.hasComeDue { entries.append(try earnedEntry(before.charge)) }
        }
        entries.append(
            InstalmentEntry(
                .paid, on: day,
                [
                    InstalmentLedger.debit(Ledger.customerPayments, amount),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, amount),
                ]))
        return entries
    }

    /// What comes in for an instalment that was written off makes the loss smaller.
    private mutating func recover(_ index: Int, _ amount: Money) throws -> InstalmentEntry {
        let lost: Money = try instalments[index].lost()
        try check(amount, owed: lost)
        instalments[index].paid = try instalments[index].paid.adding(amount)
        if amount == lost { instalments[index].status = try after(.recover, from: .defaulted) }
        return InstalmentEntry(
            .recovered, on: day,
            [
                InstalmentLedger.debit(Ledger.customerPayments, amount),
                try InstalmentLedger.credit(InstalmentLedger.writeOff, amount),
            ])
    }

    /// All that was written off is paid, but for the rest of a rounding.
    private mutating func recoverAll(butFor rest: inout Money) throws -> [InstalmentEntry] {
        var entries: [InstalmentEntry] = []
        for index in instalments.indices where instalments[index].status == .defaulted {
            let lost: Money = try instalments[index].lost()
            let spared: Money = .lesser(rest, lost)
            rest = try rest.subtracting(spared)
            if spared != lost { entries.append(try recover(index, lost.subtracting(spared))) }
            if spared.isPositive { instalments[index].status = try after(.recover, from: .defaulted) }
        }
        return entries
    }

    mutating func waive(_ number: Int) throws -> [InstalmentEntry] {
        let index: Int = try index(of: number)
        instalments[index].status = try after(.waive, from: instalments[index].status)
        let fee: Money = .lesser(instalments[index].lateFee, try instalments[index].owed())
        instalments[index].lateFee = try instalments[index].lateFee.subtracting(fee)
        try closeIfEmpty(index)
        return [
            InstalmentEntry(
                .lateFeeWaived, on: day,
                [
                    InstalmentLedger.debit(InstalmentLedger.lateFees, fee),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, fee),
                ])
        ]
    }

    /// A rounding is given up of what is asked for of the first instalments: a loss, as it stays one after the default.
    mutating func settle(_ amount: Money, rounding: Money) throws -> [InstalmentEntry] {
        let settlement: Settlement = try settlement(on: day)
        guard status.isOpen || status == .defaulted else { throw InstalmentError.notAllowed(.settle, in: status) }
        guard !rounding.isNegative, try amount.adding(rounding) == settlement.amount else {
            throw InstalmentError.wrongAmount(owed: settlement.amount)
        }
        var rest: Money = rounding
        var entries: [InstalmentEntry] = try recoverAll(butFor: &rest)
        let givenUp: Money = rest
        let earned: Money = try unearnedCharge().subtracting(settlement.rebate)
        let owed: Money = try owed()
        for index in instalments.indices where instalments[index].status.isOpen {
            let rebate: Money = try instalments[index].rebate(on: day)
            instalments[index].charge = try instalments[index].charge.subtracting(rebate)
            let asked: Money = try instalments[index].owed()
            let spared: Money = .lesser(rest, asked)
            rest = try rest.subtracting(spared)
            instalments[index].paid = try instalments[index].paid.adding(asked).subtracting(spared)
            instalments[index].status = try after(.settle, from: instalments[index].status)
        }
        entries.append(try earnedEntry(earned))
        entries.append(
            InstalmentEntry(
                .settledEarly, on: day,
                [
                    InstalmentLedger.debit(
                        Ledger.customerPayments, try owed.subtracting(settlement.rebate).subtracting(givenUp)),
                    InstalmentLedger.debit(InstalmentLedger.unearned, settlement.rebate),
                    InstalmentLedger.debit(InstalmentLedger.writeOff, givenUp),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, owed),
                ]))
        return entries
    }

    mutating func refund(_ amount: Money) throws -> [InstalmentEntry] {
        guard status.isOpen else { throw InstalmentError.notAllowed(.cancel, in: status) }
        guard amount.currency == purchaseLeft.currency else { throw InstalmentError.wrongCurrency(amount.currency) }
        guard amount.isPositive else { throw InstalmentError.notPositive }
        let open: Money = try openPrincipal()
        guard amount.minor <= open.minor else { throw InstalmentError.refundTooLarge(left: open) }
        let owedBefore: Money = try owed()
        let unearnedBefore: Money = try unearnedCharge()
        let paidCharge: Money = try takeOff(amount)
        purchaseLeft = try purchaseLeft.subtracting(amount)
        let unearned: Money = try unearnedBefore.subtracting(unearnedCharge())
        return [
            InstalmentEntry(
                .refunded, on: day,
                [
                    InstalmentLedger.debit(Ledger.customerRefunds, amount),
                    InstalmentLedger.debit(InstalmentLedger.unearned, unearned),
                    try InstalmentLedger.credit(offer.terms.charge.incomeAccount, paidCharge),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, owedBefore.subtracting(owed())),
                ])
        ]
    }

    /// What is open leaves no trace of income; what was paid keeps the charge that was paid.
    mutating func cancel() throws -> [InstalmentEntry] {
        _ = try after(.cancel, from: status)
        let open: OpenSums = try openSums()
        for index in instalments.indices where instalments[index].status.isOpen {
            instalments[index].status = try after(.cancel, from: instalments[index].status)
        }
        purchaseLeft = try purchaseLeft.subtracting(open.principal)
        return [
            InstalmentEntry(
                .canceled, on: day,
                [
                    InstalmentLedger.debit(Ledger.customerRefunds, open.principal),
                    InstalmentLedger.debit(InstalmentLedger.unearned, open.unearned),
                    InstalmentLedger.debit(
                        offer.terms.charge.incomeAccount, try open.charge.subtracting(open.paidUnearned)),
                    InstalmentLedger.debit(InstalmentLedger.lateFees, open.lateFees),
                    try InstalmentLedger.credit(InstalmentLedger.receivable, open.owed),
                ])
        ]
    }

    /// Takes principal off open instalments, the last first, and the charges that it carried.
    /// - Returns: The paid charges of instalments that are closed by it before their day: they are income now.
    private mutating func takeOff(_ amount: Money) throws -> Money {
        var left: Money = amount
        var before: Money = .zero(amount.currency)
        var outstanding: Money = before
        var paidCharge: Money = before
        for index in instalments.indices.reversed() where instalments[index].status.isOpen {
            let part: Instalment = instalments[index]
            let open: Money = try part.openParts().principal
            let taken: Money = .lesser(open, left)
            left = try left.subtracting(taken)
            before = try before.adding(open)
            outstanding = try outstanding.adding(open).subtracting(taken)
            try instalments[index].reduce(
                to: part.principal.subtracting(taken), outstanding: outstanding, before: before, on: day)
            try closeIfEmpty(index)
            if instalments[index].status == .paid, !part.status.hasComeDue {
                paidCharge = try paidCharge.adding(instalments[index].charge)
            }
        }
        return paidCharge
    }

    /// An open instalment of which nothing is left to pay is paid, or none if nothing was paid.
    private mutating func closeIfEmpty(_ index: Int) throws {
        guard try instalments[index].owed().isZero else { return }
        let step: InstalmentStatus.Step = instalments[index].paid.isZero ? .cancel : .pay
        instalments[index].status = try after(step, from: instalments[index].status)
    }

    private func check(_ amount: Money, owed: Money) throws(InstalmentError) {
        guard amount.currency == owed.currency else { throw .wrongCurrency(amount.currency) }
        guard amount.isPositive, amount.minor <= owed.minor else { throw .wrongAmount(owed: owed) }
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
