import ServiceKit
import SubscriptionService

await runService(SubscriptionAssembly.self)
