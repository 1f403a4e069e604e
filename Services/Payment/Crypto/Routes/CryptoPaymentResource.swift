package import BillingCore
import HTTPKit
package import JSON
import PaymentChains
import PaymentContract
package import Postgres

/// A payment in crypto as callers see it. Amounts of the asset are decimal texts of base units.
package struct CryptoPaymentResource: JSONOutput {
    let charge: CryptoCharge
    let asset: CryptoAsset
    let transfer: CryptoTransfer
    let transactions: [SeenTransactionResource]

    /// The last attempt at a payment, with what is on its address now.
    /// - Throws: ``Problem`` when there is none.
    package static func newest(
        of payment: PaymentID, _ accepted: AcceptedAssets, in db: borrowing PostgresTransaction
    ) throws -> CryptoPaymentResource {
        guard let charge = try CryptoChargeStore.newest(of: payment, in: db) else {
            throw Problem.notFound("crypto payment", payment.rawValue)
        }
        let asset: CryptoAsset = try accepted.named(charge.provider).asset
        let trail: ChainTrail = try ChainStore.trail(of: asset.chain, depth: ChainStore.depth, in: db)
        let watch: AddressWatch? = try WatchStore.watches(of: [charge], in: db)[charge.attemptID]
        return CryptoPaymentResource(
            charge: charge, asset: asset, transfer: try charge.transfer(asset),
            transactions: (watch?.counted(on: trail) ?? []).map(SeenTransactionResource.init))
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_payment")
        o.field("payment_id", charge.paymentID)
        o.field("attempt_id", charge.attemptID)
        o.field("provider", charge.provider)
        o.field("asset", asset.symbol)
        o.field("decimals", asset.decimals)
        o.field("chain", asset.chain)
        o.field("address", charge.address)
        o.field("uri", transfer.uri, doc: "BIP-21 or ERC-681, over what is missing; without an amount when nothing is")
        o.field("quote", QuoteResource(charge: charge))
        o.field("standing", StandingResource(standing: charge.standing))
        o.field("transactions", transactions)
        o.field(
            "unexplained", charge.unexplained.description,
            doc: "Base units on the address that no transfer explains; they wait for a person")
        o.field("answer", charge.answer?.text, doc: "captured, or why the attempt was declined; null while it is open")
        o.field("answered_at", charge.answeredAt)
    }

    package static var sample: Self {
        Self(
            charge: .sample, asset: .bitcoin(.main),
            transfer: CryptoTransfer(
                asset: "BTC", address: CryptoCharge.sample.address, amount: "155400",
                uri: "bitcoin:\(CryptoCharge.sample.address)?amount=0.001554", expiresAt: .sample),
            transactions: [
                SeenTransactionResource(
                    AddressWatch.Counted(
                        id: TransferID(transaction: String(repeating: "ab", count: 32), position: 0),
                        amount: BaseUnits(155_400), confirmations: 1, needed: 3, isLate: false))
            ])
    }

    private init(
        charge: CryptoCharge, asset: CryptoAsset, transfer: CryptoTransfer, transactions: [SeenTransactionResource]
    ) {
        self.charge = charge
        self.asset = asset
        self.transfer = transfer
        self.transactions = transactions
    }
}

/// The quote of a charge.
struct QuoteResource: JSONOutput {
    let charge: CryptoCharge

    func write(to o: inout ObjectWriter) {
        o.money("price", charge.price, doc: "Minor units")
        o.field("rate", charge.rate.description, doc: "What one whole coin costs")
        o.field("spread_basis_points", charge.spreadBasisPoints)
        o.field("amount", charge.expected.description, doc: "Base units to pay")
        o.field("quoted_at", charge.quotedAt)
        o.field("expires_at", charge.expiresAt)
    }

    static var sample: Self { Self(charge: .sample) }
}

/// What an address amounts to. Received is applied, held and refundable together.
struct StandingResource: JSONOutput {
    let standing: StoredStanding

    func write(to o: inout ObjectWriter) {
        o.field("outcome", standing.outcome)
        o.field("received", standing.received.description, doc: "Base units with enough confirmations")
        o.field("pending", standing.pending.description, doc: "On the way")
        o.field("late", standing.late.description, doc: "Received when the quote was over")
        o.field("applied", standing.applied.description, doc: "Pays")
        o.field("held", standing.held.description, doc: "Waits for the rest, or for a person")
        o.field("refundable", standing.refundable.description, doc: "Offered back to the payer")
        o.field("missing", standing.missing.description, doc: "To be paid still, counting what is on the way")
    }

    static var sample: Self { Self(standing: CryptoCharge.sample.standing) }
}

/// One transfer that counts.
struct SeenTransactionResource: JSONOutput {
    let counted: AddressWatch.Counted

    init(_ counted: AddressWatch.Counted) { self.counted = counted }

    func write(to o: inout ObjectWriter) {
        o.field("transaction_id", counted.id.transaction)
        o.field("position", Int64(clamping: counted.id.position))
        o.field("amount", counted.amount.description, doc: "Base units")
        o.field("confirmations", Int64(clamping: counted.confirmations))
        o.field("confirmations_needed", Int64(clamping: counted.needed))
        o.field("late", counted.isLate)
    }

    static var sample: Self { CryptoPaymentResource.sample.transactions[0] }
}
