import HTTPKit
import PaymentLinks
import PaymentSandbox
import ServiceKit

/// What there is in sandbox mode beside the providers: the page of the methods that have one, and what banks say by
/// themselves. Nothing of it is there in live mode.
struct SandboxPart: Sendable {
    let endpoints: [Endpoint]
    let loops: [BackgroundLoop]

    /// - Parameter provider: `nil` in live mode.
    /// - Throws: `PageAssets.Missing` when the page's files are not there.
    init(
        _ provider: SandboxLocalProvider?, _ parts: ServiceParts, assets: PageAssets, news: HandleNews
    ) throws {
        guard let provider else {
            endpoints = []
            loops = []
            return
        }
        endpoints =
            SandboxPageRoutes(page: try SandboxPage(assets: assets), provider: provider, news: news, pool: parts.pool)
            .endpoints
        let follow = FollowSandbox(
            due: SandboxDue(pool: parts.pool, clock: parts.clock), news: news, logger: parts.logger)
        loops = [follow.loop]
    }
}
