package import BillingCore
package import PaymentContract
package import PaymentThreeDS
import Synchronization

/// The 3DS server's way to its directory server, with the card ranges the directory told of.
package final class ThreeDSServer: Sendable {
    /// Carries messages over the way out that all connectors share.
    private struct Way: DirectoryTransport {
        let url: String
        let transport: any ProviderTransport

        func post(_ message: [UInt8], maxBytes: Int) async throws(DirectoryFault) -> DirectoryReply {
            let request = ProviderHTTPRequest(
                method: "POST", url: url, headers: [(name: "content-type", value: "application/json;charset=UTF-8")],
                body: message, maxAnswerBytes: maxBytes)
            do throws(ProviderFault) {
                let answer: ProviderHTTPAnswer = try await transport.send(request)
                return DirectoryReply(status: answer.status, body: answer.body)
            } catch .notSent {
                throw .notSent
            } catch .unusable {
                throw .unusable
            } catch {
                throw .timedOut
            }
        }
    }

    package let profile: RequestorProfile
    package let policy: UnauthenticatedPolicy
    /// Whether issuers that do not say so beforehand may ask the cardholder on a way of their own, too.
    package let offersDecoupled: Bool
    private let directory: DirectoryServer
    private let preparation: DirectoryServer
    private let ranges = Mutex(CardRangeCache())

    /// - Parameter url: Of the directory server; messages go to `/areq` and `/preq` below it.
    package init(
        url: String, profile: RequestorProfile, policy: UnauthenticatedPolicy = .strict, offersDecoupled: Bool = false,
        transport: any ProviderTransport
    ) {
        self.profile = profile
        self.policy = policy
        self.offersDecoupled = offersDecoupled
        directory = DirectoryServer(transport: Way(url: "\(url)/areq", transport: transport))
        preparation = DirectoryServer(transport: Way(url: "\(url)/preq", transport: transport))
    }

    /// What the directory says of a card; asks the directory first when that is a day old. A directory that is away
    /// leaves what was known.
    package func range(of number: String, at now: Instant) async -> CardRange? {
        if ranges.withLock({ $0.isStale(at: now) }) { await refresh(at: now) }
        return ranges.withLock { $0.range(of: number) }
    }

    /// What comes of a card that ``range(of:at:)`` does not know, so that nobody is asked about it: no answer where the
    /// directory has never told of its ranges; else the card is not enrolled.
    package func unasked(at now: Instant) -> AuthenticationOutcome {
        .unavailable(ranges.withLock { $0.absence }, at: now)
    }

    /// Takes up what has changed; a directory that does not know our serial number any more tells everything anew.
    private func refresh(at now: Instant) async {
        let known: CardRangeCache = ranges.withLock { $0 }
        do {
            let new: CardRangeCache
            do {
                new = try await prepared(known, since: known.serialNumber, at: now)
            } catch let error as ErrorMessage where error.code == .invalidSerialNumber && known.serialNumber != nil {
                new = try await prepared(known, since: nil, at: now)
            }
            ranges.withLock { $0 = new }
        } catch {
            return  // Asked again with the next card.
        }
    }

    private func prepared(
        _ known: CardRangeCache, since serialNumber: String?, at now: Instant
    ) async throws -> CardRangeCache {
        let request = PreparationRequest(since: serialNumber, as: profile)
        let answer: [UInt8] = try await preparation.prepare(try request.serialized())
        return try known.updated(by: answer, to: request, at: now)
    }

    /// Sends an AReq, once.
    package func ask(_ message: [UInt8]) async throws(DirectoryFault) -> [UInt8] { try await directory.ask(message) }
}
