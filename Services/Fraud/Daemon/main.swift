import FraudService
import ServiceKit

await runService(FraudAssembly.self)
