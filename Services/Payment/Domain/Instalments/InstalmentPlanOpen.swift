import BillingCore

/// What is open of a whole plan, as it leaves the books when nothing more of it is asked for.
struct OpenSums {
    /// Of the purchase.
    var principal: Money
    /// Of charges that were booked as income when their days came.
    var charge: Money
    var lateFees: Money
    /// All that stands on the unearned account: charges of instalments that have not come due, paid or not.
    var unearned: Money
    /// The part of `unearned` that was paid before its day.
    var paidUnearned: Money
    /// All that is owed.
    var owed: Money
}

extension InstalmentPlan {
    /// Sums up the open instalments.
    func openSums() throws(MoneyError) -> OpenSums {
        let nothing: Money = .zero(offer.purchase.currency)
        var sums = OpenSums(
            principal: nothing, charge: nothing, lateFees: nothing, unearned: try unearnedCharge(),
            paidUnearned: nothing, owed: try owed())
        for instalment in instalments where instalment.status.isOpen {
            let open: OpenParts = try instalment.openParts()
            sums.principal = try sums.principal.adding(open.principal)
            sums.lateFees = try sums.lateFees.adding(open.lateFee)
            if instalment.status.hasComeDue {
                sums.charge = try sums.charge.adding(open.charge)
            } else {
                sums.paidUnearned = try sums.paidUnearned.adding(instalment.charge).subtracting(open.charge)
            }
        }
        return sums
    }
}
