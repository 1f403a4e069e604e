import InvoiceService
import ServiceKit

await ServiceCommand<InvoiceAssembly>.main()
