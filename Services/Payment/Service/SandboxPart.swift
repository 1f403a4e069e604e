package import HTTPKit
package import Logging
package import PaymentInbound
package import PaymentLinks
package import PaymentSandbox
package import Postgres
package import ServiceKit

/// What there is in sandbox mode beside the providers: the page of the methods that have one, and what banks say by
/// themselves. Nothing of it is there in live mode.
package struct SandboxPart: Sendable {
    package let endpoints: [Endpoint]
    package let looks: [Look]
    /// By acquirer, when it has something to tell of disputes.
    package let disputes: [String: @Sendable (_ cursor: SQL) -> SQL]

    /// - Parameters:
    ///   - provider: `nil` in live mode.
    ///   - acquirers: Those beside `sandbox`.
    /// - Throws: `PageAssets.Missing` when the page's files are not there.
    package init(
        _ provider: SandboxLocalProvider?, acquirers: [String], assets: PageAssets, news: any NewsHandler,
        logger: Logger
    ) throws {
        guard let provider else {
            endpoints = []
            looks = []
            disputes = [:]
            return
        }
        endpoints =
            SandboxPageRoutes(
                page: try SandboxPage(assets: assets), provider: provider, news: news, pool: provider.pool
            )
            .endpoints
        let due = SandboxDue(
            pool: provider.pool, clock: provider.clock, of: ["sandbox", provider.name] + acquirers)
        looks = [FollowSandbox(due: due, news: news, logger: logger).look]
        disputes = due.disputes
    }
}
