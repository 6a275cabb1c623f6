// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Transport 1: QEMU's ivshmem-doorbell. The only file that knows PCI and where
 * the window and the doorbells come from: BAR 0 has the registers, BAR 2 is the
 * window, MSI-X vectors are the host's doorbells towards us.
 */
#include "pvgpu_drv.h"

#define IVSHMEM_VENDOR		0x1af4
#define IVSHMEM_DEVICE		0x1110
#define IVSHMEM_REG_DOORBELL	12
#define IVSHMEM_BAR_REGS	0
#define IVSHMEM_BAR_WINDOW	2

void pvgpu_transport_ring(struct pvgpu_card *pvgpu, u32 vector)
{
	writel(pvgpu->link.client.device.host_peer << 16 | vector,
	       pvgpu->transport.doorbell);
}

static irqreturn_t pvgpu_pci_interrupt(int irq, void *data)
{
	struct pvgpu_vector *vector = data;

	return pvgpu_link_interrupt(vector->pvgpu, vector->index);
}

/* Other people use ivshmem too: look for our magic before anything is taken.
 * And a DRM device has a render node from the start or never.
 */
static bool pvgpu_pci_is_ours(struct pci_dev *pdev, bool *ret_render)
{
	struct pvgpu_device device;
	void *page;
	bool ours;

	if (!(pci_resource_flags(pdev, IVSHMEM_BAR_WINDOW) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, IVSHMEM_BAR_WINDOW) < PAGE_SIZE)
		return false;
	page = memremap(pci_resource_start(pdev, IVSHMEM_BAR_WINDOW), PAGE_SIZE,
			MEMREMAP_WB);
	if (!page)
		return false;
	ours = pvgpu_load64(&((struct pvgpu_info *)page)->magic) == PVGPU_MAGIC;
	*ret_render = ours && !pvgpu_device_read(&device, page,
						 pci_resource_len(pdev, IVSHMEM_BAR_WINDOW)) &&
		      pvgpu_virgl_offered(&device);
	memunmap(page);
	return ours;
}

static void pvgpu_pci_unmap(struct drm_device *drm, void *window)
{
	memunmap(window);
}

/* The mapping lives as long as the DRM device, which open files and exported
 * buffers can keep beyond the driver's unbinding; the resources do not.
 */
static int pvgpu_pci_map(struct pvgpu_card *pvgpu, struct pci_dev *pdev)
{
	struct pvgpu_transport *transport = &pvgpu->transport;
	struct device *dev = &pdev->dev;
	void __iomem *regs;
	int ret;

	transport->bus = pci_resource_start(pdev, IVSHMEM_BAR_WINDOW);
	transport->size = pci_resource_len(pdev, IVSHMEM_BAR_WINDOW);
	if (!devm_request_mem_region(dev, transport->bus, transport->size, PVGPU_NAME) ||
	    !devm_request_mem_region(dev, pci_resource_start(pdev, IVSHMEM_BAR_REGS),
				     pci_resource_len(pdev, IVSHMEM_BAR_REGS), PVGPU_NAME))
		return -EBUSY;
	regs = devm_ioremap(dev, pci_resource_start(pdev, IVSHMEM_BAR_REGS),
			    pci_resource_len(pdev, IVSHMEM_BAR_REGS));
	if (!regs)
		return -ENOMEM;
	transport->doorbell = regs + IVSHMEM_REG_DOORBELL;
	transport->window = memremap(transport->bus, transport->size, MEMREMAP_WB);
	if (!transport->window)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&pvgpu->drm, pvgpu_pci_unmap, transport->window);
	if (ret)
		return ret;

	if (transport->bus < SZ_4G || !pvgpu_is_cached(transport->window))
		drm_warn(&pvgpu->drm,
			 "the window at %pap is not cached: drawing will be slow\n",
			 &transport->bus);
	return 0;
}

static void pvgpu_pci_free_vectors(void *data)
{
	pci_free_irq_vectors(data);
}

static int pvgpu_pci_request_vectors(struct pvgpu_card *pvgpu, struct pci_dev *pdev)
{
	struct pvgpu_transport *transport = &pvgpu->transport;
	u32 i;
	int ret;

	ret = pci_alloc_irq_vectors(pdev, 1, pvgpu->link.client.device.vectors, PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;
	transport->num_vectors = ret;
	ret = devm_add_action_or_reset(&pdev->dev, pvgpu_pci_free_vectors, pdev);
	if (ret)
		return ret;
	for (i = 0; i < transport->num_vectors; i++) {
		struct pvgpu_vector *vector = &transport->vectors[i];

		vector->pvgpu = pvgpu;
		vector->index = i;
		vector->irq = pci_irq_vector(pdev, i);
		ret = devm_request_irq(&pdev->dev, vector->irq, pvgpu_pci_interrupt, 0,
				       PVGPU_NAME, vector);
		if (ret)
			return ret;
	}
	return 0;
}

static int pvgpu_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct pvgpu_card *pvgpu;
	bool render;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	if (!pvgpu_pci_is_ours(pdev, &render))
		return -ENODEV;
	/* Firmware may draw on one of our heads through this very window. */
	ret = aperture_remove_conflicting_pci_devices(pdev, PVGPU_NAME);
	if (ret)
		return ret;

	pvgpu = pvgpu_create(&pdev->dev, render);
	if (IS_ERR(pvgpu))
		return PTR_ERR(pvgpu);
	pci_set_drvdata(pdev, pvgpu);
	pci_set_master(pdev);
	/* Importers of our buffers get bus addresses of the window. */
	dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	ret = pvgpu_pci_map(pvgpu, pdev);
	if (ret)
		return ret;
	ret = pvgpu_link_init(pvgpu);
	if (ret)
		return ret;
	ret = pvgpu_pci_request_vectors(pvgpu, pdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no interrupt vectors\n");
	return pvgpu_start(pvgpu);
}

static void pvgpu_pci_remove(struct pci_dev *pdev)
{
	pvgpu_stop(pci_get_drvdata(pdev));
}

static void pvgpu_pci_shutdown(struct pci_dev *pdev)
{
	struct pvgpu_card *pvgpu = pci_get_drvdata(pdev);

	drm_atomic_helper_shutdown(&pvgpu->drm);
	pvgpu_link_stop(pvgpu, false);
}

static int pvgpu_pci_suspend(struct device *dev)
{
	struct pvgpu_card *pvgpu = dev_get_drvdata(dev);
	int ret;

	ret = drm_mode_config_helper_suspend(&pvgpu->drm);
	if (ret)
		return ret;
	pvgpu_link_stop(pvgpu, true);
	return 0;
}

static int pvgpu_pci_resume(struct device *dev)
{
	struct pvgpu_card *pvgpu = dev_get_drvdata(dev);

	/* A host that is not there yet is waited for in the background. */
	pvgpu_link_start(pvgpu);
	return drm_mode_config_helper_resume(&pvgpu->drm);
}

static DEFINE_SIMPLE_DEV_PM_OPS(pvgpu_pci_pm, pvgpu_pci_suspend, pvgpu_pci_resume);

static const struct pci_device_id pvgpu_pci_ids[] = {
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, pvgpu_pci_ids);

static struct pci_driver pvgpu_pci_driver = {
	.name = PVGPU_NAME,
	.id_table = pvgpu_pci_ids,
	.probe = pvgpu_pci_probe,
	.remove = pvgpu_pci_remove,
	.shutdown = pvgpu_pci_shutdown,
	.driver.pm = pm_sleep_ptr(&pvgpu_pci_pm),
};

int pvgpu_pci_register(void)
{
	return pci_register_driver(&pvgpu_pci_driver);
}

void pvgpu_pci_unregister(void)
{
	pci_unregister_driver(&pvgpu_pci_driver);
}
