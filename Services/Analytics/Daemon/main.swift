import AnalyticsService
import ServiceKit

await runService(AnalyticsAssembly.self)
