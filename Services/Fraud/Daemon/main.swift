import FraudService
import ServiceKit

await ServiceCommand<FraudAssembly>.main()
