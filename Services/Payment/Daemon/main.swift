import PaymentService
import ServiceKit

await ServiceCommand<PaymentAssembly>.main()
