import InvoiceDomain
import Messaging

/// Runs a step of the invoice; what it refuses can never work, so the event is parked with the reason.
func parking<Result>(
    _ subject: String, _ step: () throws(InvoiceRefusal) -> Result
) throws(Refusal) -> Result {
    do { return try step() } catch { throw Refusal.park(reason: "\(subject): \(error)") }
}
