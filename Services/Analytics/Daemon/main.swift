import AnalyticsService
import ServiceKit

ServiceCommand<AnalyticsAssembly>.main()
